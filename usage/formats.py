"""How sums and counts are written. Unknown is a word, never a zero."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

UNKNOWN = "unknown"


def money(amount: Decimal | None) -> str:
    """US dollars: `$3.45`, `$1,204.00`, small sums with two digits that matter (`$0.00042`), None as `unknown`."""
    if amount is None:
        return UNKNOWN
    sign = "-" if amount < 0 else ""
    amount = abs(amount)
    if amount == 0 or amount >= 1:
        return f"{sign}${amount:,.2f}"
    decimals = max(2, 1 - amount.adjusted())
    rounded = amount.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN)
    return f"{sign}${rounded:f}"


def rate(price: Decimal | None) -> str:
    """A price per million tokens, every digit of it and at least two decimals: `$2.50`, `$0.0375`."""
    if price is None:
        return UNKNOWN
    decimals = max(2, -int(price.normalize().as_tuple().exponent))
    return f"${price:,.{decimals}f}"


def cents(amount: Decimal) -> Decimal:
    """A sum that is not known any better: to the cent, or to two digits that matter."""
    return round(amount, max(2, 1 - amount.adjusted()) if amount else 2)


def percent(share: Decimal | None) -> str:
    """A share of 1: `97%`, `0.4%`, `99.8%`. Only all is `100%` and only nothing is `0%`; None as `unknown`."""
    if share is None:
        return UNKNOWN
    hundredths = share * 100
    whole = round(hundredths)
    if whole == hundredths or 1 <= hundredths <= 99:
        return f"{whole}%"
    if hundredths < 1:
        return f"{hundredths:.1f}%" if hundredths >= Decimal("0.1") else "<0.1%"
    return f"{hundredths:.1f}%" if hundredths <= Decimal("99.9") else ">99.9%"


def seconds(milliseconds: int | None) -> str:
    """A duration for people: `820 ms`, `4.2 s`, `3 min 12 s`."""
    if milliseconds is None:
        return UNKNOWN
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    # From here on it would be rounded to 60.0 s.
    if milliseconds < 59_950:
        return f"{milliseconds / 1000:.1f} s"
    whole = round(milliseconds / 1000)
    return f"{whole // 60} min {whole % 60} s"


def operation_label(operation: str) -> str:
    """`email_generation` as `Email generation`."""
    return operation.replace("_", " ").capitalize()


def tokens(count: int | None) -> str:
    """A number of tokens as people speak of it: `8K`, `200K`, `1M`, `1.05M`; None as `unknown`."""
    if count is None:
        return UNKNOWN
    if count < 1000:
        return str(count)
    if count < 1_000_000:
        return f"{round(count / 1000)}K"
    return f"{round(count / 1_000_000, 2):g}M"
