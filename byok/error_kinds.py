"""Everything that can go wrong between a tenant and a provider, by its code."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """What a code means.

    `permanent`: trying again does not help. `needs_admin`: only an admin of the organisation can mend it.
    `sentence` says what to do next, and may name `{provider}` and `{key_page}`.
    """

    code: str
    _: KW_ONLY
    permanent: bool
    needs_admin: bool
    sentence: str


def _kinds(*kinds: ErrorKind) -> dict[str, ErrorKind]:
    return {kind.code: kind for kind in kinds}


# Sentences follow the customer's troubleshooting section and the providers' own help pages.
KINDS = _kinds(
    ErrorKind(
        "invalid_key",
        permanent=True,
        needs_admin=True,
        sentence=(
            "{provider} refused the key. It may be mistyped, expired or revoked: "
            "make a new one at {key_page} and save it in the AI settings."
        ),
    ),
    ErrorKind(
        "missing_scope",
        permanent=True,
        needs_admin=True,
        sentence="{provider} knows the key, but the key may not do this. Give it the missing permission at {key_page}.",
    ),
    ErrorKind(
        "no_credit",
        permanent=True,
        needs_admin=True,
        sentence="The account at {provider} has no credit left. Add credit there, then run this again.",
    ),
    ErrorKind(
        "key_limit",
        permanent=True,
        needs_admin=True,
        sentence=(
            "The key has reached the spending limit that was set for it at {provider}. Raise the limit at {key_page}."
        ),
    ),
    ErrorKind(
        # Nothing about the key: no fallback either, where the platform asks the same provider.
        "region_refused",
        permanent=True,
        needs_admin=True,
        sentence=(
            "{provider} does not serve the country or region that the request came from. Choose another provider in "
            "the "
            "AI settings, or ask whoever runs Lead Agent where it sends its requests from."
        ),
    ),
    ErrorKind(
        "model_not_found",
        permanent=True,
        needs_admin=True,
        sentence=(
            "{provider} does not offer the chosen model to this key. Check its name (at OpenRouter it is "
            "vendor/model) or choose another model in the AI settings."
        ),
    ),
    ErrorKind(
        "rate_limited",
        permanent=False,
        needs_admin=False,
        sentence=(
            "{provider} limits how many requests this account may make, and the limit is reached. That usually "
            "passes within minutes; a higher limit comes with a higher tier at {provider}."
        ),
    ),
    ErrorKind(
        "overloaded",
        permanent=False,
        needs_admin=False,
        sentence="{provider} is overloaded at the moment. That usually passes within minutes.",
    ),
    ErrorKind(
        "timeout",
        permanent=False,
        needs_admin=False,
        sentence="{provider} did not answer in time. That usually passes within minutes.",
    ),
    ErrorKind(
        "unreachable",
        permanent=False,
        needs_admin=False,
        sentence="{provider} could not be reached. That usually passes within minutes.",
    ),
    ErrorKind(
        "bad_response",
        permanent=False,
        needs_admin=False,
        sentence="{provider} sent an answer that could not be read. Trying once more often helps.",
    ),
    ErrorKind(
        "content_refused",
        permanent=True,
        needs_admin=False,
        sentence="{provider} refused the content of this request. Change the text, or choose another model.",
    ),
    ErrorKind(
        "context_too_long",
        permanent=True,
        needs_admin=False,
        sentence=(
            "The text is longer than the chosen model can read. Shorten it, or choose a model with a larger context."
        ),
    ),
    ErrorKind(
        "bad_request",
        permanent=True,
        needs_admin=False,
        sentence="{provider} did not accept the request for this model. Choose another model.",
    ),
    ErrorKind(
        "config_missing",
        permanent=True,
        needs_admin=True,
        sentence="No usable key is saved for {provider}. Add one in the AI settings to go on.",
    ),
    ErrorKind(
        "key_unreadable",
        permanent=True,
        needs_admin=True,
        sentence="The saved key for {provider} can no longer be opened. Enter it again in the AI settings.",
    ),
    ErrorKind(
        "quota_exhausted",
        permanent=True,
        needs_admin=True,
        sentence=(
            "This month's free AI requests are used up. Add your own key in the AI settings to go on without a limit."
        ),
    ),
    ErrorKind(
        "quota_unavailable",
        permanent=False,
        needs_admin=False,
        sentence=(
            "The free tier could not be counted just now, so the request was not sent. That usually passes within "
            "minutes."
        ),
    ),
    ErrorKind(
        "budget_exhausted",
        permanent=True,
        needs_admin=True,
        sentence=(
            "The organisation's AI budget for this month is spent. Raise it under Settings, Alerts and budgets, to "
            "go on."
        ),
    ),
    ErrorKind(
        "step_cap",
        permanent=True,
        needs_admin=False,
        sentence=(
            "The research used up the steps that one run may take. Run it again, or choose another model for research."
        ),
    ),
    ErrorKind(
        "token_cap",
        permanent=True,
        needs_admin=False,
        sentence=(
            "The research used up the tokens that one run may use. Run it again, or choose another model for research."
        ),
    ),
    ErrorKind(
        "cost_cap",
        permanent=True,
        needs_admin=False,
        sentence=(
            "The research used up the money that one run may cost. Run it again, or choose another model for research."
        ),
    ),
    ErrorKind(
        "wrong_destination",
        permanent=True,
        needs_admin=True,
        sentence=(
            "The request was not for {provider}'s own address, so the key was not sent. Check the provider addresses."
        ),
    ),
)
