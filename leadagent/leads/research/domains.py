"""Which domain is the sender's own company's. Pure."""

from __future__ import annotations

from leadagent import egress

# Everybody has an address there: sharing one says nothing about the company.
_MAIL_HOSTS = (
    "gmail.com googlemail.com outlook.com hotmail.com hotmail.co.uk hotmail.de hotmail.fr live.com live.co.uk "
    "msn.com yahoo.com yahoo.co.uk yahoo.de yahoo.fr ymail.com rocketmail.com icloud.com me.com mac.com aol.com "
    "gmx.de gmx.net gmx.at gmx.ch gmx.com web.de t-online.de freenet.de posteo.de mailbox.org proton.me "
    "protonmail.com pm.me tutanota.com tuta.com mail.com email.com fastmail.com hey.com zoho.com yandex.com "
    "yandex.ru mail.ru bk.ru inbox.ru list.ru rambler.ru qq.com 163.com 126.com sina.com foxmail.com naver.com "
    "daum.net hanmail.net orange.fr wanadoo.fr free.fr laposte.net libero.it virgilio.it btinternet.com "
    "sky.com ntlworld.com comcast.net verizon.net att.net sbcglobal.net cox.net rediffmail.com uol.com.br "
    "bol.com.br terra.com.br seznam.cz wp.pl o2.pl interia.pl abv.bg ukr.net duck.com"
)
MAIL_HOSTS = frozenset(_MAIL_HOSTS.split())


def company_domain(email_domain: str) -> str | None:
    """The domain as a host that may be looked up, lower case; None for free mail hosts and what is no public name."""
    if not email_domain or email_domain.lower() in MAIL_HOSTS:
        return None
    try:
        target = egress.read_url(f"https://{email_domain}/")
    except egress.EgressRefused:
        return None
    # An address as a number is nobody's company.
    return None if ":" in target.host or target.host.replace(".", "").isdigit() else target.host


def belongs_to(host: str, domain: str) -> bool:
    """Whether `host` is the domain or below it."""
    return host == domain or host.endswith(f".{domain}")
