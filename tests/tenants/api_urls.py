"""A small API on our own classes, for `test_api_auth.py`."""

from typing import Any, Literal

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.urls import path
from ninja import Field, Router, Schema, Status

from leadagent.api import ProductAPI
from leadagent.tenants.api_auth import ApiRequest, token_or_member
from leadagent.tenants.api_errors import ApiError
from leadagent.tenants.models import Role, Scope
from leadagent.urls import urlpatterns as product_urls

router = Router()


class Address(Schema):
    street: str


class NewThing(Schema):
    name: str = Field(description="What it is called", min_length=2)
    kind: Literal["a", "b"] = "a"
    email: str | None = None
    addresses: list[Address] = []


class Thing(Schema):
    organization: str
    by: str


@router.get("/things", auth=token_or_member(Scope.USAGE_READ, Role.VIEWER), response=Thing)
def read_things(request: ApiRequest, limit: int = 10) -> dict[str, Any]:
    """Says who asked, and for which `organization`."""
    by = request.api_token.name if request.api_token else request.membership.user.email  # type: ignore[union-attr]
    return {"organization": request.organization.slug, "by": by}


@router.post("/things", auth=token_or_member(Scope.LEADS_WRITE, Role.MEMBER), response={201: Thing})
def add_thing(request: ApiRequest, payload: NewThing) -> Status[dict[str, Any]]:
    return Status(201, {"organization": request.organization.slug, "by": payload.name})


@router.get("/raise/{kind}", auth=None)
def raise_it(request: ApiRequest, kind: str) -> None:
    raise {
        "ours": ApiError(409, "stale", "Someone saved before you.", field="version"),
        "missing": Http404("secret detail"),
        "denied": PermissionDenied("Not yours."),
        "crash": RuntimeError("sk-ant-secretsecretsecret"),
    }[kind]


api = ProductAPI(title="Test", version="1", urls_namespace="test-api")
api.add_router("", router)
urlpatterns = [path("test-api/", api.urls), *product_urls]
