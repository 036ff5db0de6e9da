"""Every address of the product, with the role that its guard asks for."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from leadagent.tenants.models import Role


@dataclass(frozen=True)
class Route:
    path: str
    name: str
    needed: Role | None
    in_address: tuple[str, ...]


def routes() -> Iterator[Route]:
    return _walk(get_resolver().url_patterns, path="", namespace="")


def _walk(patterns: list[Any], *, path: str, namespace: str) -> Iterator[Route]:
    for pattern in patterns:
        here = path + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from _walk(pattern.url_patterns, path=here, namespace=inner)
        elif isinstance(pattern, URLPattern):
            yield Route(
                path=here.removeprefix("^"),
                name=namespace + (pattern.name or ""),
                needed=getattr(pattern.callback, "needed_role", None),
                in_address=tuple(pattern.pattern.converters),
            )


ROUTES = list(routes())
