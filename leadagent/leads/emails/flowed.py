"""Plain text as it travels by mail: short lines that a reader's screen joins again (format=flowed, RFC 3676). Pure."""

from __future__ import annotations

WIDTH = 72
# The line above a signature, as mail programs know it: never wrapped, never trimmed.
SIGNATURE_LINE = "-- "


def flowed(text: str) -> str:
    """`text` in the format "flowed" without DelSp: a line that ends with a space goes on in the next."""
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        lines += [line] if line == SIGNATURE_LINE else _wrapped(line.rstrip(" "))
    return "\n".join(lines)


def joined(text: str) -> str:
    """What a reader that knows the format makes of it."""
    lines: list[str] = []
    goes_on = False
    for line in text.split("\n"):
        bare = line.removeprefix(" ")
        lines[-1:] = [lines[-1] + bare] if goes_on else [*lines[-1:], bare]
        goes_on = bare.endswith(" ") and bare != SIGNATURE_LINE
    return "\n".join(lines)


def _wrapped(line: str) -> list[str]:
    """One paragraph; cut behind spaces only, so that an address stays whole however long it is."""
    found: list[str] = []
    rest = line
    while len(rest) > WIDTH:
        at = rest.rfind(" ", 1, WIDTH)
        at = at if at > 0 else rest.find(" ", WIDTH)
        # What would begin with a space, or be nothing but spaces, is not cut off.
        while 0 < at < len(rest) - 1 and rest[at + 1] == " ":
            at += 1
        if rest[: at + 1] == SIGNATURE_LINE:
            # Alone on its line it would be taken for the line above a signature.
            at = rest.find(" ", at + 1)
        if at <= 0 or at >= len(rest) - 1 or not rest[: at + 1].strip():
            break
        found.append(_stuffed(rest[: at + 1]))
        rest = rest[at + 1 :]
    return [*found, _stuffed(rest)]


def _stuffed(line: str) -> str:
    """A space before what a mail program would take for a quotation, a mailbox's beginning, or such a space."""
    return f" {line}" if line.startswith((" ", ">", "From ")) else line
