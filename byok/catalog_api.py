"""The JSON API of the catalog: the models that match, page by page, unchanged ones not sent again."""

from __future__ import annotations

from hashlib import sha256
from typing import cast

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response, patch_vary_headers
from ninja import Query, Router

from byok.catalog.cards import ModelCard, cards_of
from byok.catalog.facets import facets
from byok.catalog.paging import BadCursor, catalog_page
from byok.catalog.read_filter import read_filter
from byok.catalog.selecting import choosing_of
from byok.catalog_api_schemas import ModelOut, ModelsOut, ModelsQuery, PricesOut
from byok.config.ai_config import get_ai_config
from leadagent.tenants.api_auth import ApiRequest, token_or_member
from leadagent.tenants.api_errors import ApiError
from leadagent.tenants.models import Role, Scope

DEFAULT_LIMIT = 50

router = Router(tags=["models"])


@router.get(
    "",
    auth=token_or_member(Scope.CONFIG_READ, Role.VIEWER),
    response={200: ModelsOut, 304: None},
    summary="List models",
)
def list_ai_models(request: HttpRequest, params: Query[ModelsQuery]) -> HttpResponseBase:
    """The models that match all parameters, with list prices in US dollars per million tokens.

    Prices are exact decimals as text; null is unknown, never zero. Send `next_cursor` as `cursor`, with the same
    other parameters, for the next page; it is null on the last one. The answer carries an `ETag`: sent back as
    `If-None-Match`, it is answered 304 without a body while nothing has changed.
    """
    caller = cast("ApiRequest", request)
    asked = read_filter(request.GET, limit=DEFAULT_LIMIT)
    errors = {name: f"There is no parameter {name}." for name in request.GET if name not in ModelsQuery.model_fields}
    for field, message in {**asked.errors, **errors}.items():
        raise ApiError(422, "invalid", f"{field}: {message}", field=field)
    choosing = choosing_of(caller.organization, get_ai_config(caller.organization))
    usable_with = choosing.usable_providers
    try:
        page = catalog_page(caller.organization, asked.filter, usable_with=usable_with)
    except BadCursor as bad:
        raise ApiError(422, "invalid", f"cursor: {bad}", field="cursor") from None
    cards = cards_of(page.models, choosing, may_select=False)
    answer = ModelsOut(
        data=[_model(card) for card in cards],
        total=facets(caller.organization, asked.filter, usable_with=usable_with).total,
        next_cursor=page.next_cursor or None,
    )
    return _unless_unchanged(request, answer.model_dump_json().encode())


def _unless_unchanged(request: HttpRequest, body: bytes) -> HttpResponseBase:
    """The body with its weak ETag, or 304 for who has it already."""
    etag = f'W/"{sha256(body).hexdigest()[:32]}"'
    response = HttpResponse(body, content_type="application/json; charset=utf-8")
    response.headers["ETag"] = etag
    # May be kept by its caller alone, who asks again every time.
    response.headers["Cache-Control"] = "private, no-cache"
    patch_vary_headers(response, ("Authorization", "Cookie", "X-Organization"))
    conditional = get_conditional_response(request, etag=etag, response=response)
    return response if conditional is None else conditional


def _model(card: ModelCard) -> ModelOut:
    model = card.model
    return ModelOut(
        id=model.model_id,
        provider=model.route,
        vendor=model.vendor,
        name=model.name,
        description=model.description,
        kind=model.kind,
        context_window=model.context_window,
        max_output=model.max_output,
        input_modalities=model.input_modalities,
        output_modalities=model.output_modalities,
        capabilities=model.capabilities,
        prices=PricesOut(
            input=model.input_price,
            output=model.output_price,
            cache_read=model.cache_read_price,
            cache_write=model.cache_write_price,
            cache_write_1h=model.cache_write_1h_price,
            source=model.price_source,
        ),
        tier=model.tier or None,
        is_fast=model.is_fast,
        badges=[badge.name for badge in card.badges],
        best_for=card.best_for,
        is_own=model.organization_id is not None,
        released_on=model.released_on,
        retired_on=model.retired_on,
        successor=model.successor or None,
        source=model.source,
        checked_on=model.checked_on,
    )
