"""Fill any JSON schema with values that are valid for it, taking suggestions where they fit."""

import re
from collections.abc import Callable
from typing import Any

Schema = dict[str, Any]
# Proposes a value for a property of that name; None leaves it to the filler.
Suggest = Callable[[str, Schema], Any]

_DEEPEST = 6
_FORMATS = {
    "date": "2026-01-15",
    "date-time": "2026-01-15T09:00:00Z",
    "time": "09:00:00",
    "email": "sandbox@example.com",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "hostname": "example.com",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
}


def fill(schema: Schema, suggest: Suggest, *, optional: bool = True) -> Any:
    """A value that satisfies the schema.

    Knows $ref, allOf, anyOf/oneOf, const, enum, objects, arrays, strings, numbers and
    booleans with their bounds. Of string patterns it only knows whether the suggested
    text matches. Without `optional`, properties that are not required are filled only
    where a suggestion exists.
    """
    return _Filler(schema, suggest, optional).value(schema, "value", 0)


def same_word(left: Any, right: Any) -> bool:
    """Whether two enum-like words mean the same: `Follow-up`, `FOLLOW_UP` and `follow up` do."""
    return bool(_letters(left)) and _letters(left) == _letters(right)


def _letters(value: Any) -> str:
    return re.sub(r"[^a-z0-9]", "", str(value).lower())


class _Filler:
    def __init__(self, root: Schema, suggest: Suggest, optional: bool) -> None:
        self.root, self.suggest, self.optional = root, suggest, optional

    def value(self, schema: Schema, name: str, depth: int) -> Any:
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._choice(schema, name)
        for key in ("anyOf", "oneOf"):
            if schema.get(key):
                return self._branch(schema[key], name, depth)
        kind = _type_of(schema)
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, name, depth)
        if kind == "null":
            return None
        suggested = self.suggest(name, schema)
        if kind == "boolean":
            return suggested if isinstance(suggested, bool) else bool(schema.get("default", False))
        if kind in ("integer", "number"):
            return _number(schema, suggested, whole=kind == "integer")
        return _string(schema, suggested, name)

    def _resolved(self, schema: Schema) -> Schema:
        """The schema with $ref followed and allOf merged."""
        followed = 0
        while "$ref" in schema and followed < 20:
            target: Any = self.root
            for step in schema["$ref"].removeprefix("#").strip("/").split("/"):
                target = target[step.replace("~1", "/").replace("~0", "~")] if step else target
            schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
            followed += 1
        for part in schema.get("allOf", ()):
            merged = self._resolved(part)
            schema = {
                **merged,
                **schema,
                "properties": {**merged.get("properties", {}), **schema.get("properties", {})},
                "required": [*merged.get("required", ()), *schema.get("required", ())],
            }
        return schema

    def _choice(self, schema: Schema, name: str) -> Any:
        suggested = self.suggest(name, schema)
        return next((value for value in schema["enum"] if same_word(value, suggested)), schema["enum"][0])

    def _branch(self, branches: list[Schema], name: str, depth: int) -> Any:
        telling = [branch for branch in branches if _type_of(self._resolved(branch)) != "null"]
        if not telling or (depth > _DEEPEST and len(telling) < len(branches)):
            return None
        return self.value(telling[0], name, depth)

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        required = set(schema.get("required", ()))
        filled = {}
        for name, part in schema.get("properties", {}).items():
            wanted = name in required or (
                depth <= _DEEPEST and (self.optional or self.suggest(name, self._resolved(part)) is not None)
            )
            if wanted:
                filled[name] = self.value(part, name, depth + 1)
        return filled

    def _array(self, schema: Schema, name: str, depth: int) -> list[Any]:
        fixed = [self.value(part, name, depth + 1) for part in schema.get("prefixItems", ())]
        items = schema.get("items")
        least = schema.get("minItems", 0)
        suggested = self.suggest(name, schema)
        if isinstance(items, dict) and suggested and isinstance(suggested, list):
            # What is suggested for an item by the names of its properties comes before everything else.
            return [
                _Filler(self.root, _first_of(item, self.suggest), self.optional).value(
                    items, _singular(name), depth + 1
                )
                for item in suggested[: schema.get("maxItems")]
            ]
        if not isinstance(items, dict):
            return fixed
        wanted = max(least, 0 if depth > _DEEPEST or schema.get("maxItems") == 0 or fixed else 1)
        return fixed + [self.value(items, _singular(name), depth + 1) for _ in range(wanted - len(fixed))]


def _first_of(item: dict[str, Any], suggest: Suggest) -> Suggest:
    return lambda name, schema: item[name] if name in item else suggest(name, schema)


def _type_of(schema: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if kind:
        return str(kind)
    if "properties" in schema:
        return "object"
    return "array" if "items" in schema or "prefixItems" in schema else "string"


def _singular(name: str) -> str:
    return name[:-1] if name.endswith("s") and len(name) > 3 else name


def _string(schema: Schema, suggested: Any, name: str) -> str:
    text = suggested if isinstance(suggested, str) else None
    if text is not None and "pattern" in schema and not re.search(schema["pattern"], text):
        text = None
    if text is None:
        default = schema.get("default")
        known = _FORMATS.get(schema.get("format", ""))
        text = default if isinstance(default, str) else known or f"Sandbox text for {name.replace('_', ' ')}."
    longest = schema.get("maxLength")
    return text.ljust(schema.get("minLength", 0), ".")[:longest]


def _number(schema: Schema, suggested: Any, *, whole: bool) -> float | int:
    least, most = _bounds(schema, 1 if whole else 1e-6)
    if isinstance(suggested, bool) or not isinstance(suggested, int | float):
        suggested = schema.get("default") if isinstance(schema.get("default"), int | float) else None
    if suggested is None:
        suggested = least if least is not None else min(1, most) if most is not None else 1
    value = float(suggested)
    # A share of one, where the schema counts in percent or points.
    if 0 < value < 1 and most is not None and most > 1:
        value *= most
    value = value if least is None else max(value, least)
    value = value if most is None else min(value, most)
    step = schema.get("multipleOf")
    if step:
        value = round(value / step) * step
    return round(value) if whole else round(value, 6)


def _bounds(schema: Schema, gap: float) -> tuple[float | None, float | None]:
    least, most = schema.get("minimum"), schema.get("maximum")
    if schema.get("exclusiveMinimum") is not None:
        least = max(schema["exclusiveMinimum"] + gap, least if least is not None else float("-inf"))
    if schema.get("exclusiveMaximum") is not None:
        most = min(schema["exclusiveMaximum"] - gap, most if most is not None else float("inf"))
    return least, most
