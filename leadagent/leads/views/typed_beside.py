"""What somebody typed beside a draft's text for a button that they did not press: it is in the form again afterwards.

Kept in the person's session, which lies in PostgreSQL, because it is nobody else's and may never be used.
"""

from __future__ import annotations

from typing import cast

from leadagent.http import HtmxHttpRequest
from leadagent.leads.models import EmailDraft

# Drafts that somebody may work on at the same time.
_MOST_DRAFTS = 20
_SESSION_KEY = "typed_beside_drafts"


def keep_typed(request: HtmxHttpRequest, draft: EmailDraft, typed: dict[str, str]) -> None:
    """Keep `typed` (the form's field -> its text) for this draft, in place of what was kept before."""
    kept = _kept(request)
    kept.pop(str(draft.pk), None)
    kept[str(draft.pk)] = typed
    request.session[_SESSION_KEY] = dict(list(kept.items())[-_MOST_DRAFTS:])


def typed_before(request: HtmxHttpRequest, draft: EmailDraft) -> dict[str, str]:
    """What was kept for this draft: the form's field -> its text. Empty where nothing was posted in this session."""
    return _kept(request).get(str(draft.pk), {})


def _kept(request: HtmxHttpRequest) -> dict[str, dict[str, str]]:
    """By the draft's id; the one that was posted last is the last."""
    return cast("dict[str, dict[str, str]]", request.session.get(_SESSION_KEY, {}))
