"""The JSON API of keys and configuration: read it, save it, test a key.

A key goes in and never comes out: answers carry its masked form only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.http import HttpRequest
from ninja import Router

from byok.api_schemas import ConfigIn, ConfigOut, KeyTestIn, ReportOut
from byok.checking.limit import KeyTestsExhausted, count_key_test
from byok.checking.proving import KeyNotProved, check_chosen, note_test, prove_and_save
from byok.checking.rechecking import recheck_credential
from byok.checking.reports import ConnectionReport
from byok.config.ai_config import EffectiveConfig, byok_allowed, get_ai_config
from byok.config.saving import KEEP, ConfigConflict
from byok.config.values import OPERATIONS, InvalidConfig, check_api_key
from byok.encryption import KeyUnreadable, decrypt_api_key
from byok.models import PLATFORM_DEFAULT, FallbackConsent, ProviderCredential
from byok.providers import REGISTRY
from leadagent.tenants.api_auth import ApiRequest, token_or_member
from leadagent.tenants.api_errors import ApiError, Refusal
from leadagent.tenants.models import Organization, Role, Scope, User
from leadagent.tenants.recent_sign_in import signed_in_recently
from usage.alerting.cost_alert import CostAlertChoice, cost_alert_of
from usage.spending.quota import free_tier_of
from usage.utc_days import first_of_month

router = Router(tags=["configuration"])


@router.get(
    "",
    auth=token_or_member(Scope.CONFIG_READ, Role.ADMIN),
    response=ConfigOut,
    summary="Read the AI configuration",
)
def read_ai_config(request: HttpRequest) -> dict[str, Any]:
    """Provider, models, the masked key with its state, settings, the free tier, and the version to save from."""
    return _as_json(cast("ApiRequest", request).organization)


@router.post(
    "",
    auth=token_or_member(Scope.CONFIG_WRITE, Role.ADMIN),
    response={200: ConfigOut, 409: Refusal, 429: Refusal},
    summary="Save the AI configuration",
)
def write_ai_config(request: HttpRequest, payload: ConfigIn) -> dict[str, Any]:
    """Save what is given; a new key is tested first and kept only when the provider takes it.

    409 `conflict`: somebody saved since `version` was read. 422 `key_refused`: the provider refused the new key
    or a chosen model. 422 `key_not_tested`: the provider could not be asked; 422 `key_without_credit`: the new key
    would take the place of another and has nothing left (for both see `save_untested`). In all of these nothing
    is saved, and the old key stays in force.
    """
    caller = cast("ApiRequest", request)
    organization = caller.organization
    _ask_for_recent_sign_in(caller)
    config = get_ai_config(organization)
    values = _values(config, payload)
    _refuse_key_of_nobody(config, payload, values["provider"])
    try:
        if values["api_key"] not in (KEEP, None):
            _count_test(caller)
        prove_and_save(
            organization, values, save_untested=payload.save_untested, actor=_person(caller), request=request
        )
    except InvalidConfig as error:
        raise ApiError(422, "invalid", str(error), field=_FIELDS.get(error.field, error.field)) from None
    except ConfigConflict:
        raise ApiError(
            409,
            "conflict",
            "Somebody saved the configuration in between. Read it again, then save.",
            field="version",
        ) from None
    except KeyNotProved as refused:
        code = "key_without_credit" if refused.report.lacks_credit else "key_not_tested"
        code = code if refused.may_save_untested else "key_refused"
        raise ApiError(422, code, refused.report.summary, field="api_key") from None
    return _as_json(organization)


@router.put(
    "",
    auth=token_or_member(Scope.CONFIG_WRITE, Role.ADMIN),
    response={200: ReportOut, 429: Refusal},
    summary="Test a key",
)
def test_key(request: HttpRequest, payload: KeyTestIn) -> dict[str, Any]:
    """Ask the provider about a key, without saving anything: a capability report, one line per question.

    Without `models` the stored ones are asked for. Limited to 10 tests in 10 minutes per caller, and to 30 an hour
    per organisation.
    """
    caller = cast("ApiRequest", request)
    organization = caller.organization
    if not byok_allowed(organization):
        raise ApiError(403, "byok_disabled", "Own keys are not enabled for this organisation.")
    _ask_for_recent_sign_in(caller)
    _count_test(caller)
    return _report(caller, organization, payload).as_json()


test_key.__test__ = False  # type: ignore[attr-defined]  # not one of pytest's


def _report(caller: ApiRequest, organization: Organization, payload: KeyTestIn) -> ConnectionReport:
    config = get_ai_config(organization)
    stored = config.provider == payload.provider
    values = {
        "provider": payload.provider,
        "chat_model": payload.models.chat or (config.chat_model if stored else ""),
        "embedding_model": payload.models.embedding
        or (config.embedding_model if config.embedding_provider == payload.provider else ""),
    }
    if payload.api_key is None:
        credential = ProviderCredential.objects.filter(organization=organization, provider=payload.provider).first()
        if credential is None:
            label = REGISTRY[payload.provider].label
            raise ApiError(422, "key_missing", f"No key is stored for {label}: send one to test.", field="api_key")
        api_key = _opened(credential) if payload.models.chat or payload.models.embedding else ""
        if not api_key:
            report = recheck_credential(credential, probe=payload.probe)
            note_test(organization, report, last4=credential.last4, actor=_person(caller), request=caller)
            return report
    else:
        api_key = payload.api_key.strip()
    try:
        check_api_key(payload.provider, api_key)
        report = check_chosen(organization, values, api_key=api_key, probe=payload.probe)
    except InvalidConfig as error:
        raise ApiError(422, "invalid", str(error), field=_FIELDS.get(error.field, error.field)) from None
    note_test(organization, report, last4=api_key[-4:], actor=_person(caller), request=caller)
    return report


def _opened(credential: ProviderCredential) -> str:
    """The stored key, for a test on other models than the stored; empty where it does not open any more."""
    try:
        return decrypt_api_key(credential.sealed_key, binding=credential.binding)
    except KeyUnreadable:
        return ""


def _refuse_key_of_nobody(config: EffectiveConfig, payload: ConfigIn, provider: str) -> None:
    """A key that is sent, or to be removed, and that no provider is named for: silence would look like success."""
    if "api_key" not in payload.model_fields_set:
        return
    text = (payload.api_key or "").strip()
    if text == KEEP:
        raise ApiError(422, "invalid", "This is no key. Leave `api_key` out to keep the stored one.", field="api_key")
    if provider == PLATFORM_DEFAULT and text:
        raise ApiError(422, "invalid", "The platform's AI needs no key: name the key's provider.", field="api_key")
    if provider == PLATFORM_DEFAULT and payload.api_key is None and config.credential is not None:
        sentence = f"Remove the key first, while {config.provider} is the provider; then choose the platform's AI."
        raise ApiError(422, "invalid", sentence, field="api_key")


# Where the API spells a field otherwise than `save_ai_config`.
_FIELDS = {
    "chat_model": "models.chat",
    "embedding_model": "models.embedding",
    "openrouter_site_url": "openrouter_settings.site_url",
    "openrouter_site_name": "openrouter_settings.site_name",
    "cost_alert_threshold": "cost_alert.monthly_threshold",
    "cost_alert_email": "cost_alert.email",
}


def _values(config: EffectiveConfig, payload: ConfigIn) -> dict[str, Any]:
    """The arguments of `save_ai_config`: what is stored, with what the call names in its place."""
    named = payload.model_fields_set
    provider = payload.provider or config.provider
    same = provider == config.provider
    openrouter = payload.openrouter_settings
    alert = payload.cost_alert
    embedding_provider: str | None = payload.embedding_provider
    if "embedding_provider" not in named and same:
        embedding_provider = config.embedding_provider
    embedding_model = payload.models.embedding
    if embedding_model is None:
        kept = embedding_provider is not None and embedding_provider == config.embedding_provider
        embedding_model = config.embedding_model if kept else ""
    api_key: str | None = KEEP
    if "api_key" in named:
        # An empty text is what a form sends for "no change".
        api_key = payload.api_key if payload.api_key is None or payload.api_key.strip() else KEEP
    return {
        "provider": provider,
        "chat_model": payload.models.chat or (config.chat_model if same else ""),
        "embedding_provider": embedding_provider,
        "embedding_model": embedding_model,
        "operation_models": payload.operation_models,
        "further_models": payload.further_models,
        "api_key": api_key,
        "openrouter_site_url": openrouter.site_url if openrouter else config.openrouter_site_url,
        "openrouter_site_name": openrouter.site_name if openrouter else config.openrouter_site_name,
        "usage_tracking": config.usage_tracking if payload.usage_tracking is None else payload.usage_tracking,
        "fallback": payload.fallback,
        "cost_alert": CostAlertChoice(alert.enabled, alert.monthly_threshold, alert.email.strip()) if alert else None,
        "version": payload.version,
    }


def _as_json(organization: Organization) -> dict[str, Any]:
    config = get_ai_config(organization)
    credential = config.credential
    free_tier = free_tier_of(organization.pk)
    return {
        "provider": config.provider,
        "models": {"chat": config.chat_model, "embedding": config.embedding_model},
        "embedding_provider": config.embedding_provider,
        "operation_models": dict(config.operation_models),
        "further_models": {name: list(models) for name, models in config.further_models.items()},
        "is_customer_key": config.is_customer_key,
        "masked_key": credential.masked if credential else None,
        "key_status": _key_status(credential),
        "openrouter_settings": {"site_url": config.openrouter_site_url, "site_name": config.openrouter_site_name},
        "usage_tracking": config.usage_tracking,
        "fallback": _consents(config.fallback),
        "cost_alert": cost_alert_of(organization).as_json(),
        "free_tier": {"used": free_tier.used, "limit": free_tier.limit, "month": first_of_month().isoformat()},
        "byok_enabled": byok_allowed(organization),
        "version": config.version,
    }


def _key_status(credential: ProviderCredential | None) -> dict[str, Any] | None:
    if credential is None:
        return None
    return {
        "status": credential.status,
        "message": credential.status_message,
        "checked_at": credential.checked_at,
        "expires_at": credential.expires_at,
    }


def _consents(stored: Mapping[str, str]) -> dict[str, str]:
    return {operation: stored.get(operation, FallbackConsent.NEVER.value) for operation in OPERATIONS}


def _person(caller: ApiRequest) -> User | None:
    return caller.membership.user if caller.membership else None


def _ask_for_recent_sign_in(caller: ApiRequest) -> None:
    """A session may be somebody else's at an open desk; a token was given this power by an admin."""
    if caller.membership is not None and not signed_in_recently(caller):
        raise ApiError(
            403, "sign_in_again", "Confirm who you are (it is some time since you signed in), then try again."
        )


def _count_test(caller: ApiRequest) -> None:
    who = f"user:{caller.membership.user_id}" if caller.membership else f"token:{cast('Any', caller.api_token).pk}"
    try:
        count_key_test(caller.organization, who=who)
    except KeyTestsExhausted as refused:
        raise ApiError(429, "rate_limited", str(refused), retry_after=refused.retry_after) from None
