"""What people, browsers and machines may put into a field."""

from random import Random

from tests.fuzz.pages.markup import Control, Form

# Looks like a provider's key: a field that is not for keys must not keep it, nor show it again.
KEY = "sk-ant-api03-Qx7fuzzQx7fuzzQx7fuzzQx7fuzz01"

ODD = (
    "", " ", "\t\n", "x", "0", "-1", "1", "٣", "½", "1e309", "-1e-309", "NaN", "Infinity", "0x10", "1_000", "12,50", "0.001",
    "9" * 18, "9" * 19, "9" * 400, "-" + "9" * 30, "0." + "0" * 400 + "1", "1.23456789012345678901234567890",
    "null", "None", "undefined", "true", "[]", "{}", "\\", "'", '"', "`", "&amp;", "<b>bold</b>", "</textarea><i>",
    "' OR 1=1 --", "%", "%00", "%s%n", "{{ 7*7 }}", "${7*7}", "../../etc/passwd", "C:\\x", "http://", "https://[::1",
    "javascript:alert(1)", "https://example.test/" + "a" * 3_000, "\0", "a\0b", "\x01\x02\x7f\x85", "line\r\nbreak",
    "Subject: x\r\nBcc: y@example.test", "e\u0301" * 50, "\u202eright", "\u200b", "\ufeff", "\ufffe\uffff", "\U0001f469\u200d\U0001f52c",
    "\U000e0001", "ﷺ" * 20, "İ", "ß" * 100, "x" * 81, "x" * 255, "x" * 256, "y" * 2_001, "z" * 20_001, "w" * 210_000,
    "jo@example.test", "jo@", "@example.test", "jo@example..test", "jo@exämple.test", '"a b"@example.test', "a@b.test,c@d.test",
    "jo@" + "x" * 250 + ".test", "2026-02-30", "0000-00-00", "0001-01-01", "9999-12-31", "2026-13-01", "２０２６-０１-０１",
    "2026-11-26T09:30", "2026-11-26T25:61", "9999-12-31T23:59", "0001-01-01T00:00", "10:00", "tomorrow", "+1 555", "+" * 50,
    "gpt-4o", "openai:gpt-4o", "openrouter:" + "x" * 300, ":", "::", "a:b:c",
    "00000000-0000-0000-0000-000000000000", "2147483647", "2147483648", "9223372036854775807", "9223372036854775808",
)  # fmt: skip
_FITTING = {
    "email": ("jo@example.test", "person@example.org"),
    "url": ("https://hooks.example.com/leads", "http://example.test/"),
    "number": ("1", "12", "0.5"),
    "date": ("2026-11-20", "2027-03-31"),
    "datetime-local": ("2026-12-01T10:00",),
    "password": ("correct horse battery staple", "sk-proj-0123456789abcdef0123456789wxyz"),
}
_ALTERNATIVES = ("Ann Example", "Some words that fit.", "openai/gpt-4o-mini")


def filled_in(draw: Random, form: Form) -> list[tuple[str, str]]:
    """What is sent: most fields fit, one or some are odd, some are missing or there twice, some nobody asked for."""
    wildness = draw.choice((0.0, 0.15, 0.15, 0.4, 0.9))
    sent: list[tuple[str, str]] = []
    for control in form.controls:
        if control.kind == "file":
            continue
        if draw.random() < wildness / 5:
            continue
        sent.append((control.name, _value(draw, control, wildness)))
        if draw.random() < wildness / 8:
            sent.append((control.name, _value(draw, control, 1)))
    if draw.random() < wildness / 5:
        sent.append((draw.choice(ODD) or "x", draw.choice(ODD)))
    return sent


def _value(draw: Random, control: Control, wildness: float) -> str:
    if control.options:
        return draw.choice(ODD) if draw.random() < wildness / 3 else draw.choice(control.options)
    if control.kind == "hidden":
        return draw.choice(ODD) if draw.random() < wildness / 3 else control.value
    if draw.random() < wildness:
        return KEY if draw.random() < 0.02 else draw.choice(ODD)
    if draw.random() < 0.3 and control.value:
        return control.value
    return draw.choice(_FITTING.get(control.kind, _ALTERNATIVES))
