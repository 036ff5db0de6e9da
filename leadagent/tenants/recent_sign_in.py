"""How long ago the person at this session last proved who they are.

Acts that hand out lasting power (an API token, a provider key) ask for a recent proof.
allauth's own decorator is not used for them: it keeps the interrupted POST in the session,
and those forms carry secrets.
"""

import time
from typing import Any
from urllib.parse import urlencode

from allauth.account.signals import authentication_step_completed
from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest
from django.urls import reverse

_SESSION_KEY = "signed_in_at"


@receiver([user_logged_in, authentication_step_completed], dispatch_uid="note_sign_in")
def note_sign_in(request: HttpRequest | None, **_: Any) -> None:
    """Sign-in, sign-up, a password or a code asked again: each of them counts."""
    if request is not None and hasattr(request, "session"):
        request.session[_SESSION_KEY] = int(time.time())


def signed_in_recently(request: HttpRequest) -> bool:
    """True within `ACCOUNT_REAUTHENTICATION_TIMEOUT` seconds of the last proof."""
    at = request.session.get(_SESSION_KEY, 0)
    return bool(time.time() - at < settings.ACCOUNT_REAUTHENTICATION_TIMEOUT)


def confirm_identity_url(next_url: str) -> str:
    """The page that asks for the password (or a code) and then goes on to `next_url`."""
    return f"{reverse('account_reauthenticate')}?{urlencode({'next': next_url})}"
