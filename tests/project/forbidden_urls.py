"""Addresses that must never be connected to, in every spelling that a hostile page or model may choose."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

# One of each kind of network that is not the public internet.
IPV4 = (
    "127.0.0.1", "127.255.255.254", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.0.1",
    "192.168.255.254", "169.254.169.254", "169.254.170.2", "100.64.0.1", "100.127.255.254", "100.100.100.200",
    "0.0.0.0", "0.1.2.3", "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.7", "203.0.113.9",
    "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
)  # fmt: skip
IPV6 = (
    "::1", "::", "::7f00:1", "::127.0.0.1", "fe80::1", "fe90::1", "febf::1", "fc00::1", "fd00:ec2::254", "fec0::1",
    "ff02::1", "ff0e::1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:169.254.169.254", "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
    "2001::1", "2001:0:4136:e378::", "2001:db8::1", "100::1", "3fff::1", "5f00::1", "0:0:0:0:0:0:0:1",
    "0000:0000:0000:0000:0000:ffff:7f00:0001",
)  # fmt: skip
# What a name server of the attacker's may answer: one private address is enough, wherever it stands.
ANSWERS = (
    *((address,) for address in (*IPV4, *IPV6)),
    ("93.184.216.34", "127.0.0.1"),
    ("127.0.0.1", "93.184.216.34"),
    ("93.184.216.34", "2606:4700:4700::1111", "10.0.0.1"),
    ("2606:4700:4700::1111", "::1"),
    ("2606:4700:4700::1111", "fe80::1%eth0"),
    ("93.184.216.34", "::ffff:10.0.0.1"),
    ("93.184.216.34", "169.254.169.254"),
)
NAMES = (
    "localhost", "LOCALHOST", "localhost.", "localhost.localdomain", "metadata", "metadata.google.internal",
    "metadata.google.internal.", "instance-data.ec2.internal", "kubernetes.default.svc.cluster.local", "redis",
    "postgres", "printer.lan", "router.home", "wiki.corp", "nas.local", "1.0.0.127.in-addr.arpa", "x.home.arpa",
    "something.onion", "app.localhost", "intranet", "db.private", "a.test", "x.invalid", "host.docker.internal",
)  # fmt: skip
# Everything that is wrong with the address itself.
SHAPES = (
    "", "x", "//example.com/", "/etc/passwd", "example.com", "http://", "https://", "http:///path", "http://?q",
    "ftp://example.com/", "file:///etc/passwd", "gopher://127.0.0.1:6379/_INFO", "dict://127.0.0.1:11211/", "data:,x",
    "javascript:alert(1)", "ldap://example.com/", "ws://example.com/", "jar:http://example.com!/", "blob:https://x.com/1",
    "http://user@example.com/", "http://user:pw@example.com/", "http://@example.com/", "http://:@example.com/",
    "http://example.com@127.0.0.1/", "http://127.0.0.1@example.com/", "http://example.com%40127.0.0.1/",
    "http://example.com:22/", "http://example.com:6379/", "http://example.com:8080/", "http://example.com:0/",
    "http://example.com:65536/", "http://example.com:port/", "http://example.com:-80/", "https://example.com:8443/",
    "http://example.com:80:80/", "http://127.0.0.1:80\\@example.com/", "http://example.com\\@127.0.0.1/",
    "http:\\\\127.0.0.1/", "http://exa mple.com/", "http://example.com/ HTTP/1.1", "http://example.com/\r\nHost: x",
    "http://example.com/\tx", "http://example.com\n.evil.com/", "http://\x00example.com/", "http://example.com/\x7f",
    " http://example.com/", "http://example.com/" + "x" * 3000, "http://[::1", "http://::1/", "http://[::1]x/",
    "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[v1.x]/", "http://[]/", "http://..../", "http://.com/",
    "http://example..com/", "http://-example.com/", "http://" + "a" * 64 + ".com/", "http://" + "a." * 130 + "com/",
    "http://exam%70le.com/", "http://127%2e0%2e0%2e1/", "http://1%327.0.0.1/", "http://127.0.0.1#@example.com/",
    "http://127.0.0.1?@example.com/", "http://example.com;127.0.0.1/",
)  # fmt: skip


def urls() -> Iterator[str]:
    """Every forbidden address that can be told by looking at it, or by resolving its host as the system does."""
    yield from SHAPES
    for host in NAMES:
        yield f"http://{host}/"
    for text in IPV4:
        yield from (
            f"{scheme}://{host}/latest/meta-data/" for scheme in ("http", "https") for host in (text, f"{text}.")
        )
    for address in map(IPv4Address, IPV4[:12]):
        yield from (f"http://{host}/" for host in odd_forms(address))
    for text in IPV6:
        yield f"http://[{text}]/"
        yield f"https://[{text.upper()}]:443/"


def odd_forms(address: IPv4Address) -> Iterator[str]:
    """What browsers and the C library take for the same address: decimal, octal, hexadecimal, short, full width."""
    number, parts = int(address), address.packed
    yield str(number)
    yield f"0x{number:x}"
    yield f"0{number:o}"
    yield ".".join(f"0x{part:02x}" for part in parts)
    yield ".".join(f"0{part:03o}" for part in parts)
    yield ".".join(f"0000{part:o}" for part in parts)
    yield f"{parts[0]}.{number & 0xFFFFFF}"
    yield f"{parts[0]}.{parts[1]}.{number & 0xFFFF}"
    yield f"0x{parts[0]:x}.{parts[1]}.0{number & 0xFFFF:o}"
    yield "".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in str(address))
    yield str(address).replace(".", "\N{IDEOGRAPHIC FULL STOP}")
    yield str(address).replace("1", "\N{CIRCLED DIGIT ONE}")
