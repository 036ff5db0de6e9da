"""OpenRouter's one-click connect: the page on which a person agrees, and the exchange of its code for a key.

https://openrouter.ai/docs/use-cases/oauth-pkce
"""

import secrets
from ipaddress import ip_address
from urllib.parse import urlencode, urlsplit

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from leadagent.sandbox import authorization_codes
from leadagent.sandbox.gate import Call, endpoint, json_response
from leadagent.sandbox.openrouter_wire import WIRE
from leadagent.sandbox.refusals import Refusal, bad_request

METHODS = ("S256", "plain")


@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def auth(request: HttpRequest) -> HttpResponse:
    """GET /auth?callback_url&code_challenge&code_challenge_method: ask; the answer goes back to the callback."""
    query = (request.POST if request.method == "POST" else request.GET).dict()
    callback, challenge = query.get("callback_url", ""), query.get("code_challenge", "")
    method = query.get("code_challenge_method", "plain" if challenge else "")
    problem = _problem(request, callback, challenge, method)
    if problem:
        return render(request, "sandbox/openrouter_auth.html", {"problem": problem}, status=400)
    if request.method != "POST":
        context = {
            "site": urlsplit(callback).netloc,
            "fields": {"callback_url": callback, "code_challenge": challenge, "code_challenge_method": method},
        }
        return render(request, "sandbox/openrouter_auth.html", context)
    if query.get("answer") != "approve":
        return redirect(_with_query(callback, error="access_denied"))
    return redirect(_with_query(callback, code=authorization_codes.issue(challenge=challenge, method=method)))


@endpoint(WIRE, "auth", "POST", needs_key=False)
def auth_keys(call: Call) -> HttpResponseBase:
    """POST /api/v1/auth/keys: a code and its verifier for a key. 400 for another method, 403 for a wrong code."""
    body = call.body()
    code, verifier = body.get("code"), body.get("code_verifier") or ""
    method = body.get("code_challenge_method") or "S256"
    if not isinstance(code, str) or not code or not isinstance(verifier, str):
        raise bad_request("Invalid request: code is required")
    if method not in METHODS:
        raise bad_request("Invalid code_challenge_method")
    try:
        authorization_codes.redeem(code, verifier=verifier, method=method)
    except authorization_codes.WrongMethod:
        raise bad_request("Invalid code_challenge_method") from None
    except authorization_codes.WrongCode:
        raise Refusal("wrong_code") from None
    # Hexadecimal, so that no word in it asks the sandbox to misbehave.
    return json_response({"key": f"sk-or-v1-{secrets.token_hex(32)}", "user_id": f"user_{secrets.token_hex(12)}"})


def _problem(request: HttpRequest, callback: str, challenge: str, method: str) -> str:
    """What is wrong with the question, or nothing. The real service refuses plain http beyond this machine, too."""
    if not callback:
        return "The link names no callback_url."
    parts = urlsplit(callback)
    if parts.scheme not in {"http", "https"} or not (
        parts.netloc == request.get_host() or _is_loopback(parts.hostname)
    ):
        return "The callback_url leads away from this machine: the sandbox does not follow it."
    if challenge and method not in METHODS:
        return "Invalid code_challenge_method."
    return ""


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


def _with_query(url: str, **values: str) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(values)}"
