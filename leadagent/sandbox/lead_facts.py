"""Find a lead's data in a prompt, however it is written there: JSON, tags or `Label: value` lines."""

import json
import re
from dataclasses import dataclass

_LABELS = {
    "name": ("name", "full name", "contact", "contact name"),
    "email": ("email", "e mail", "email address"),
    "company": ("company", "company name", "organisation", "organization", "business"),
    "website": ("website", "url", "site", "domain", "company website"),
    "title": ("title", "job title", "role", "position"),
    "team": ("team size", "company size", "employees", "headcount"),
    "message": ("message", "enquiry", "inquiry", "their message", "comment", "comments", "request", "notes"),
    "seller": ("our company", "our organisation", "our organization", "sender", "sign as", "signature"),
}
_FIELD_OF = {label: field for field, labels in _LABELS.items() for label in labels}
_JSON_PAIR = re.compile(r'"([A-Za-z][\w \-]{1,30})"\s*:\s*("(?:[^"\\]|\\.)*")')
_TAG = re.compile(r"<([A-Za-z][\w\-]{1,30})(?:\s[^>]*)?>(.*?)</\1>", re.DOTALL)
_LINE = re.compile(r"^[\s>*#\-•]*\**([A-Za-z][A-Za-z _\-]{1,30}?)\**\s*:\**\s*(.*)$")
_DELIMITER = re.compile(r'^\s*(</?[A-Za-z][^>]*>|`{3,}.*|-{3,}|={3,}|<{3,}.*|>{3,}.*|"{3}|#{1,4}\s.*)\s*$')
_EMAIL = re.compile(r"[\w.+\-]+@([\w\-]+(?:\.[\w\-]+)+)")
_DOMAIN = re.compile(r"(?:https?://)?(?:www\.)?([\w\-]+(?:\.[\w\-]+)+)")
_TEAM = re.compile(
    r"(?:team|company|staff|group|crew)\s+of\s+(?:about\s+|around\s+|over\s+|some\s+)?(\d[\d,]*)"
    r"|(\d[\d,]*)\s*\+?\s*(?:-?\s*(?:person|people|employees|users|seats|reps|agents|staff|colleagues|sales\s*people"
    r"|salespeople|team members|licen[cs]es))",
    re.IGNORECASE,
)
_FREE_MAIL = (
    "gmail.com googlemail.com yahoo.com hotmail.com outlook.com live.com icloud.com aol.com gmx.de gmx.net web.de "
    "proton.me protonmail.com mail.com mail.ru qq.com"
)
# What others concluded about the lead is not the lead's data.
_CONCLUSIONS = re.compile(r"<(\w*(?:report|research|qualification)\w*)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_NOTHING = frozenset({"", "-", "none", "null", "n/a", "unknown", "not given"})
FREE_MAIL = frozenset(_FREE_MAIL.split())


@dataclass(frozen=True, slots=True)
class Lead:
    """What the prompt tells about a lead; empty where it tells nothing, `team_size` 0 when unknown."""

    name: str = ""
    email: str = ""
    company: str = ""
    domain: str = ""
    message: str = ""
    team_size: int = 0
    seller: str = ""
    text: str = ""

    @property
    def first_name(self) -> str:
        """How to greet them."""
        return self.name.split()[0] if self.name else "there"

    @property
    def free_mail(self) -> bool:
        """Whether they wrote from a mailbox that anyone can open."""
        return self.email.rpartition("@")[2].lower() in FREE_MAIL

    @property
    def topic(self) -> str:
        """The first sentence of the message, shortened; never empty."""
        words = " ".join(self.message.split())
        sentence = re.split(r"(?<=[.!?])\s", words)[0].rstrip(".!? ")
        return (sentence[:87] + "..." if len(sentence) > 90 else sentence) or "your enquiry"


def read_lead(text: str) -> Lead:
    """Read a lead from the prompt's text."""
    text = _CONCLUSIONS.sub("", text)
    found: dict[str, str] = {}
    for fields in (_from_json(text), _from_tags(text), _from_lines(text)):
        for field, value in fields:
            if value.lower() not in _NOTHING:
                found.setdefault(field, value)
    email = _EMAIL.search(found.get("email", "")) or _EMAIL.search(text)
    address = email.group(0).rstrip(".") if email else ""
    mail_domain = address.rpartition("@")[2].lower()
    own_domain = "" if mail_domain in FREE_MAIL else mail_domain
    site = _DOMAIN.search(found.get("website", ""))
    domain = site.group(1).lower() if site else own_domain
    message = found.get("message", "")
    team = _TEAM.search(found.get("team", "") and f"{found['team']} people") or _TEAM.search(message or text)
    return Lead(
        name=found.get("name", "") or _name_of(address),
        email=address,
        company=found.get("company", "") or domain.partition(".")[0].replace("-", " ").title(),
        domain=domain,
        message=message,
        team_size=int((team.group(1) or team.group(2)).replace(",", "")) if team else 0,
        seller=found.get("seller", ""),
        text=text,
    )


def _field(label: str) -> str | None:
    words = re.sub(r"[\s_\-]+", " ", label).strip().lower()
    return _FIELD_OF.get(words) or _FIELD_OF.get(re.sub(r"^(the |lead |inbound |customer |contact )+", "", words))


def _from_json(text: str) -> list[tuple[str, str]]:
    pairs = []
    for label, quoted in _JSON_PAIR.findall(text):
        field = _field(label)
        if field:
            try:
                pairs.append((field, json.loads(quoted).strip()))
            except ValueError:
                continue
    return pairs


def _from_tags(text: str) -> list[tuple[str, str]]:
    pairs = []
    for tag, inner in _TAG.findall(text):
        field = _field(tag)
        if field:
            pairs.append((field, inner.strip()))
        elif "<" in inner:
            pairs += _from_tags(inner)
    return pairs


def _from_lines(text: str) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    field, collected = "", list[str]()
    for line in [*text.splitlines(), "---"]:
        label = _LINE.match(line)
        known = _field(label.group(1)) if label else None
        # Only a message runs over several lines; other values may stand on the line below.
        ended = known or (_DELIMITER.match(line) and collected) or (field != "message" and (collected or label))
        if field and ended:
            pairs.append((field, "\n".join(collected).strip()))
            field, collected = "", []
        if known and label:
            field, collected = known, [label.group(2).strip()] if label.group(2).strip() else []
        elif field and not _DELIMITER.match(line) and (line.strip() or collected):
            collected.append(line.rstrip())
    return pairs


def _name_of(address: str) -> str:
    words = re.split(r"[._\-+\d]+", address.partition("@")[0])
    return " ".join(word.title() for word in words if len(word) > 1)
