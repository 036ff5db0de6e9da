"""Which addresses may be asked: plain web addresses whose host is a name or number of the public internet. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import quote, urlsplit

from leadagent.egress.errors import EgressRefused

LONGEST_URL = 2_000
# Ports by scheme, as they are when an address names none.
USUAL_PORTS = {"http": 80, "https": 443}

# `is_global` alone passes several of these: they lead to other addresses, or nowhere.
_REFUSED_NETWORKS = tuple(
    ip_network(text)
    for text in (
        "100.64.0.0/10",  # carrier-grade NAT
        "192.0.0.0/24",
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # automatic multicast tunnels
        "192.88.99.0/24",  # 6to4 relays
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",
        "240.0.0.0/4",
        "::/96",  # IPv4-compatible
        "::ffff:0:0/96",  # IPv4-mapped
        "::ffff:0:0:0/96",  # IPv4-translated
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",  # Teredo and other protocol assignments
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "fec0::/10",
    )
)
# Names that mean something inside a network only. https://www.iana.org/assignments/special-use-domain-names
_PRIVATE_ENDINGS = (
    "localhost",
    "localdomain",
    "local",
    "internal",
    "intranet",
    "corp",
    "home",
    "lan",
    "private",
    "arpa",
    "onion",
    "invalid",
    "test",
)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
# What a browser's parser takes for a number: `127.1`, `0x7f.1`, `2130706433`.
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
# Characters of an address that stay as they are; everything else is percent-encoded.
_KEPT = "/?:@!$&'()*+,;=-._~%[]"


@dataclass(frozen=True, slots=True)
class Target:
    """An address taken apart: `host` in ASCII, lower case; `path` with the query, percent-encoded."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def url(self) -> str:
        """The address as text."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == USUAL_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of the public internet."""
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_link_local:
        return False
    return not any(address in network for network in _REFUSED_NETWORKS if network.version == address.version)


def check_url(url: str) -> None:
    """Raise `EgressRefused` for what is no plain https address. Asks no name server."""
    read_url(url, schemes=("https",))


def read_url(url: str, *, schemes: Collection[str] = ("http", "https")) -> Target:
    """Take an address apart; raises `EgressRefused` for one that may not be asked. Asks no name server.

    Names that lead into private networks all the same are found out when they are resolved.
    """
    if len(url) > LONGEST_URL:
        raise EgressRefused("The address is too long.")
    if any(ord(character) <= 32 or ord(character) == 127 for character in url) or "\\" in url:
        raise EgressRefused("The address must not hold spaces, control characters or backslashes.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise EgressRefused("This is not a web address.") from None
    if parts.scheme not in schemes or not parts.hostname:
        wanted = " or ".join(f"{scheme}://" for scheme in schemes)
        raise EgressRefused(f"Only addresses that begin with {wanted} are used.")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise EgressRefused("The address must not hold a user name or password.")
    if "[" in parts.netloc and ":" not in parts.hostname:
        raise EgressRefused("This is not a web address.")
    usual = sorted(USUAL_PORTS[scheme] for scheme in schemes)
    if port is not None and port not in usual:
        shown = " or ".join(map(str, usual))
        raise EgressRefused(f"Only the usual port ({shown}) is used.")
    path = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_KEPT)
    return Target(parts.scheme, _host(parts.hostname), port or USUAL_PORTS[parts.scheme], path)


def _host(text: str) -> str:
    """The host in ASCII, lower case. Raises `EgressRefused`."""
    try:
        literal = ip_address(text)
    except ValueError:
        return _name(text)
    if "%" in text or not is_public(literal):
        raise EgressRefused("The address leads into a private network.")
    return str(literal)


def _name(text: str) -> str:
    try:
        # Full-width digits and dots become plain ones here, before they are looked at.
        name = text.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError:
        raise EgressRefused("The address has no proper host name.") from None
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise EgressRefused("The address has no proper host name.")
    if len(labels) < 2 or labels[-1] in _PRIVATE_ENDINGS or _NUMBER.fullmatch(labels[-1]):
        raise EgressRefused("The address leads into a private network.")
    return name
