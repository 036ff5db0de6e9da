"""Words that numbers, dates and prices are made of, in the languages that leads write most. Pure data."""

from __future__ import annotations

MONTHS: dict[str, int] = {
    name: number
    for number, names in enumerate(
        (
            "january jan januar januari janvier enero gennaio janeiro",
            "february feb februar februari février fevrier febrero febbraio fevereiro",
            "march mar märz maart mars marzo março",
            "april apr avril abril aprile",
            "may mai mei mayo maggio maio",
            "june jun juni juin junio giugno junho",
            "july jul juli juillet julio luglio julho",
            "august aug augustus août agosto",
            "september sept sep septembre septiembre settembre setembro",
            "october oct oktober octobre octubre ottobre outubro",
            "november nov novembre noviembre novembro",
            "december dec dezember décembre diciembre dicembre dezembro",
        ),
        start=1,
    )
    for name in names.split()
}
WEEKDAYS: dict[str, int] = {
    name: number
    for number, names in enumerate(
        (
            "monday montag lundi lunes",
            "tuesday dienstag mardi martes",
            "wednesday mittwoch mercredi miércoles",
            "thursday donnerstag jeudi jueves",
            "friday freitag vendredi viernes",
            "saturday samstag samedi sábado",
            "sunday sonntag dimanche domingo",
        )
    )
    for name in names.split()
}
CURRENCIES: dict[str, str] = {
    "$": "USD", "us$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "usd": "USD", "eur": "EUR",
    "gbp": "GBP", "chf": "CHF", "jpy": "JPY", "inr": "INR", "cad": "CAD", "aud": "AUD", "sek": "SEK", "dkk": "DKK",
    "pln": "PLN", "dollar": "USD", "dollars": "USD", "euro": "EUR", "euros": "EUR", "pound": "GBP",
    "pounds": "GBP", "francs": "CHF", "franken": "CHF", "yen": "JPY", "dólares": "USD",
}  # fmt: skip
PERCENT = r"%|percent\b|per cent\b|prozent\b|pour cent\b|por ciento\b|per cento\b"
MULTIPLIERS: dict[str, int] = {
    "thousand": 1_000, "tausend": 1_000, "k": 1_000, "million": 10**6, "millions": 10**6, "millionen": 10**6,
    "mio": 10**6, "m": 10**6, "billion": 10**9, "bn": 10**9,
}  # fmt: skip
NUMBER_WORDS: dict[str, int] = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60,
    "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100, "a hundred": 100, "a thousand": 1_000, "eins": 1,
    "zwei": 2, "drei": 3, "vier": 4, "fünf": 5, "sechs": 6, "sieben": 7, "acht": 8, "neun": 9, "zehn": 10,
    "zwölf": 12, "zwanzig": 20, "hundert": 100, "tausend": 1_000,
}  # fmt: skip
TOP_LEVELS = (
    "com|org|net|io|co|eu|de|fr|uk|ai|dev|app|info|biz|us|ch|at|nl|be|es|it|pt|se|dk|no|fi|pl|cz|ie|ca|au|in|jp|cn|br"
    "|example|test|tech|cloud|shop|store|online|agency|software|solutions"
)
# Capitals that name no product.
_ORDINARY_CAPITALS = (
    "I OK PS P.S FAQ PDF CEO CTO CFO COO HR IT PR Q&A ASAP FYI RE FW EU UK US USA UTC GMT CET AM PM ID TBD TBC "
    "VAT MR MRS MS DR PROF ENGLISH GERMAN FRENCH SPANISH ITALIAN DUTCH EUROPE EUROPEAN DEAR BEST KIND REGARDS"
)
ORDINARY_CAPITALS = frozenset(_ORDINARY_CAPITALS.split())
