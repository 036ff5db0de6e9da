"""Whether a JSON answer in a document has the shape of the real one. Pure."""

from typing import Any


def differences(told: Any, real: Any, at: str = "") -> list[str]:
    """Where the two have other fields or types. Values differ; null stands for any type, and one entry for a list."""
    if told is None or real is None:
        return []
    if type(told) is not type(real) and not (isinstance(told, int | float) and isinstance(real, int | float)):
        return [f"{at or 'the answer'} is {type(real).__name__}, not {type(told).__name__}"]
    if isinstance(told, dict):
        fields = [f"{at}.{name}" for name in told.keys() ^ real.keys()]
        return fields + [
            each for name in told.keys() & real.keys() for each in differences(told[name], real[name], f"{at}.{name}")
        ]
    if isinstance(told, list) and told:
        return differences(told[0], real[0], f"{at}[0]") if real else [f"{at} is empty"]
    return []
