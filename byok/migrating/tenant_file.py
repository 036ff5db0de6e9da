"""Reading the file of tenants that the TypeScript system exported: a JSON array, one tenant at a time.

Nothing here repeats a value of the file in an error: values may be keys.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal, TextIO

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

CHUNK_CHARACTERS = 256 * 1024
MAX_TENANT_CHARACTERS = 1024 * 1024
_WHITESPACE = " \t\r\n"


class DamagedFile(Exception):
    """The file is no JSON array from here on; the tenants before were complete."""


class InvalidTenant(Exception):
    """A tenant whose fields are not what the old schema says. The message names each field by its path."""


def read_array(stream: TextIO) -> Iterator[Any]:
    """The elements of the JSON array in `stream`, read as they are needed. Raises `DamagedFile`."""
    reader = _Reader(stream)
    if reader.next_character() != "[":
        raise DamagedFile("The file does not begin with “[”: it must be a JSON array of tenants.")
    reader.position += 1
    if reader.next_character() != "]":
        for read in itertools.count(1):
            yield reader.value(read)
            if (character := reader.next_character()) == "]":
                break
            if character != ",":
                raise DamagedFile(f"After tenant {read} there is neither “,” nor “]”.")
            reader.position += 1
    reader.position += 1
    if reader.next_character():
        raise DamagedFile("Something follows after the end of the array.")


class _Reader:
    """A window over the stream that grows until it holds one whole value."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._decoder = json.JSONDecoder()
        self._window = ""
        self._ended = False
        self.position = 0

    def next_character(self) -> str:
        """The next character that is no whitespace, not consumed; empty at the end."""
        while True:
            while self.position < len(self._window) and self._window[self.position] in _WHITESPACE:
                self.position += 1
            if self.position < len(self._window) or not self._grow():
                return self._window[self.position : self.position + 1]

    def value(self, number: int) -> Any:
        self.next_character()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._window, self.position)
            except (ValueError, RecursionError):
                value, end = None, None
            # A number at the very end of the window may go on behind it.
            if end is not None and (end < len(self._window) or self._ended):
                self.position = end
                return value
            if len(self._window) - self.position > MAX_TENANT_CHARACTERS:
                raise DamagedFile(f"Tenant {number} is no valid JSON, or longer than 1 MB.")
            if not self._grow() and end is None:
                raise DamagedFile(f"Tenant {number} is no valid JSON, or the file ends within it.")

    def _grow(self) -> bool:
        try:
            more = self._stream.read(CHUNK_CHARACTERS)
        except UnicodeDecodeError:
            raise DamagedFile("The file is not encoded in UTF-8.") from None
        self._window = self._window[self.position :] + more
        self.position = 0
        self._ended = not more
        return bool(more)


# --- One tenant ---------------------------------------------------------------------


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise PydanticCustomError("one_line", "Use one line of plain text")
    return text.strip()


def _storable(text: str) -> str:
    # PostgreSQL stores no NUL, UTF-8 no half of a surrogate pair.
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise PydanticCustomError("storable", "This text holds characters that cannot be stored")
    return text


def _cents(value: object) -> object:
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole or not 0 <= int(value) < 10**12:  # type: ignore[call-overload]
        raise PydanticCustomError("cents", "Input should be a whole number of US cents")
    return Decimal(int(value)) / 100  # type: ignore[call-overload]


Line = Annotated[str, AfterValidator(_one_line)]
ModelName = Annotated[Line, Field(max_length=200)]


class _Record(BaseModel):
    model_config = ConfigDict(
        strict=True, extra="allow", alias_generator=to_camel, hide_input_in_errors=True, frozen=True
    )


class Models(_Record):
    chat: ModelName
    embedding: ModelName = ""


class OpenRouterSettings(_Record):
    site_url: Line | None = None
    site_name: Line | None = None


class CostAlerts(_Record):
    enabled: bool
    # Cents in the file, US dollars from here on.
    monthly_threshold: Annotated[Decimal, BeforeValidator(_cents)] | None = None
    email: Annotated[Line, Field(max_length=254)] | None = None


class AIConfigRecord(_Record):
    """`aiConfig` of the old schema. `encrypted_api_key` is `iv:authTag:ciphertext`."""

    provider: Literal["openrouter", "openai", "anthropic", "platform_default"]
    models: Models | None = None
    encrypted_api_key: str | None = Field(default=None, repr=False)
    openrouter_settings: OpenRouterSettings | None = None
    usage_tracking: bool = True
    cost_alerts: CostAlerts | None = None


class TenantRecord(_Record):
    """One tenant of the old system: `{id, clerkOrgId, name, aiConfig}`."""

    id: str | int | None = None
    clerk_org_id: Annotated[Line, Field(min_length=1, max_length=100)]
    name: Annotated[str, AfterValidator(_storable), Field(min_length=1)]
    ai_config: AIConfigRecord | None = None

    @property
    def unknown_fields(self) -> list[str]:
        """Paths of what the file holds and nobody reads."""
        return list(_unknown(self, ""))


def parse_tenant(raw: object) -> TenantRecord:
    """The tenant in `raw`, an element of the file. Raises `InvalidTenant`."""
    if not isinstance(raw, dict):
        raise InvalidTenant("a tenant must be a JSON object")
    try:
        tenant = TenantRecord.model_validate(raw)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise InvalidTenant(
            "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found[:10])
        ) from None
    config = tenant.ai_config
    if config is not None and config.provider != "platform_default" and config.models is None:
        raise InvalidTenant("aiConfig.models: Field required")
    return tenant


def _unknown(record: BaseModel, path: str) -> Iterator[str]:
    for name in record.model_extra or {}:
        yield f"{path}{name}"
    for name, field in type(record).model_fields.items():
        if isinstance(value := getattr(record, name), BaseModel):
            yield from _unknown(value, f"{path}{field.alias}.")
