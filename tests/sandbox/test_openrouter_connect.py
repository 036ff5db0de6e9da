"""One-click connect at the sandbox's OpenRouter: a person agrees, and the code becomes a key, once and by PKCE."""

import base64
import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from django.test import override_settings

from leadagent.sandbox import authorization_codes
from tests.sandbox.conftest import Sandbox

CALLBACK = "http://127.0.0.1:9/o/acme/connect/openrouter/state/"


def challenge_of(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _auth(sandbox: Sandbox) -> str:
    return f"{sandbox.url}/openrouter/auth"


def _answer(sandbox: Sandbox, answer: str, **query: str) -> dict[str, str]:
    """Open the page, press a button; the query that the callback gets."""
    with httpx2.Client(trust_env=False, timeout=10) as browser:
        page = browser.get(_auth(sandbox), params={"callback_url": CALLBACK, **query})
        assert page.status_code == 200, page.text
        assert "Allow Lead Agent?" in page.text
        hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
        done = browser.post(_auth(sandbox), data={**hidden, "answer": answer}, headers={"Referer": _auth(sandbox)})
        assert done.status_code == 302, done.text
        where, _, told = done.headers["location"].partition("?")
        assert where == CALLBACK
        return {name: values[0] for name, values in parse_qs(told).items()}


def _agreed(sandbox: Sandbox, verifier: str, method: str = "S256") -> str:
    challenge = challenge_of(verifier) if method == "S256" else verifier
    return _answer(sandbox, "approve", code_challenge=challenge, code_challenge_method=method)["code"]


def _exchange(sandbox: Sandbox, **body: Any) -> httpx2.Response:
    return sandbox.http.post(f"{sandbox.openrouter_url}/auth/keys", json=body)


@pytest.fixture
def verifier() -> str:
    return token_urlsafe(64)


def _message(answer: httpx2.Response) -> tuple[int, str]:
    error = answer.json()["error"]
    assert error["code"] == answer.status_code
    return answer.status_code, error["message"]


def test_an_agreement_becomes_a_key_that_works(sandbox: Sandbox, verifier: str) -> None:
    code = _agreed(sandbox, verifier)
    answer = _exchange(sandbox, code=code, code_verifier=verifier, code_challenge_method="S256")
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"key", "user_id"}
    key = body["key"]
    assert re.fullmatch(r"sk-or-v1-[0-9a-f]{64}", key)
    told = sandbox.http.get(f"{sandbox.openrouter_url}/key", headers={"authorization": f"Bearer {key}"})
    assert told.json()["data"]["is_management_key"] is False


def test_a_code_is_good_once(sandbox: Sandbox, verifier: str) -> None:
    fields = {"code": _agreed(sandbox, verifier), "code_verifier": verifier, "code_challenge_method": "S256"}
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: _exchange(sandbox, **fields).status_code, range(8)))
    assert sorted(statuses) == [200] + [403] * 7
    assert _message(_exchange(sandbox, **fields)) == (403, "Invalid code or code_verifier")


def test_only_its_verifier_opens_a_code_and_a_wrong_guess_does_not_spend_it(sandbox: Sandbox, verifier: str) -> None:
    code = _agreed(sandbox, verifier)
    for wrong in (token_urlsafe(64), "", challenge_of(verifier)):
        refused = _exchange(sandbox, code=code, code_verifier=wrong, code_challenge_method="S256")
        assert _message(refused) == (403, "Invalid code or code_verifier")
    assert _exchange(sandbox, code=code, code_verifier=verifier, code_challenge_method="S256").status_code == 200


@pytest.mark.parametrize("method", ["plain", "S512", 7])
def test_another_method_than_before_is_refused(sandbox: Sandbox, verifier: str, method: Any) -> None:
    refused = _exchange(sandbox, code=_agreed(sandbox, verifier), code_verifier=verifier, code_challenge_method=method)
    assert _message(refused) == (400, "Invalid code_challenge_method")


def test_a_plain_challenge_is_its_own_verifier(sandbox: Sandbox, verifier: str) -> None:
    code = _agreed(sandbox, verifier, "plain")
    assert _exchange(sandbox, code=code, code_verifier=verifier, code_challenge_method="plain").status_code == 200


@pytest.mark.parametrize("code", ["auth_code_made-up", "", None, 7])
def test_codes_that_nobody_was_given_are_refused(sandbox: Sandbox, verifier: str, code: Any) -> None:
    refused = _exchange(sandbox, code=code, code_verifier=verifier, code_challenge_method="S256")
    assert refused.status_code == (403 if isinstance(code, str) and code else 400)


def test_other_methods_are_not_allowed(sandbox: Sandbox) -> None:
    refused = sandbox.http.get(f"{sandbox.openrouter_url}/auth/keys")
    assert _message(refused) == (405, "Method Not Allowed")


def test_a_refusal_comes_back_without_a_code(sandbox: Sandbox, verifier: str) -> None:
    told = _answer(sandbox, "deny", code_challenge=challenge_of(verifier), code_challenge_method="S256")
    assert told == {"error": "access_denied"}


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"callback_url": "https://elsewhere.test/"},
        {"callback_url": "javascript:alert(1)"},
        {"callback_url": "//elsewhere.test/"},
        {"callback_url": CALLBACK, "code_challenge": "abc", "code_challenge_method": "S512"},
    ],
)
def test_a_link_that_cannot_be_used_says_so_and_leads_nowhere(sandbox: Sandbox, query: dict[str, str]) -> None:
    answer = sandbox.http.get(_auth(sandbox), params=query)
    assert answer.status_code == 400
    assert "This link cannot be used" in answer.text


def test_the_page_asks_for_its_own_forms_token(sandbox: Sandbox) -> None:
    answer = sandbox.http.post(_auth(sandbox), data={"callback_url": CALLBACK, "answer": "approve"})
    assert answer.status_code == 403


def test_the_callback_keeps_its_own_query(sandbox: Sandbox, verifier: str) -> None:
    with httpx2.Client(trust_env=False, timeout=10) as browser:
        page = browser.get(_auth(sandbox), params={"callback_url": CALLBACK + "?a=1"})
        token = re.search(r'csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token
        fields = {"csrfmiddlewaretoken": token.group(1), "callback_url": CALLBACK + "?a=1", "answer": "approve"}
        done = browser.post(_auth(sandbox), data=fields, headers={"Referer": _auth(sandbox)})
    assert set(parse_qs(urlsplit(done.headers["location"]).query)) == {"a", "code"}


def test_codes_grow_old(monkeypatch: pytest.MonkeyPatch) -> None:
    code = authorization_codes.issue(challenge="", method="")
    monkeypatch.setattr(authorization_codes, "LIFETIME_SECONDS", -1)
    with pytest.raises(authorization_codes.WrongCode):
        authorization_codes.redeem(code, verifier="", method="S256")


def test_without_a_record_the_process_remembers() -> None:
    code = authorization_codes.issue(challenge="", method="")
    with override_settings(SANDBOX_RECORD_FILE=""):
        authorization_codes.redeem(code, verifier="", method="S256")
        with pytest.raises(authorization_codes.WrongCode):
            authorization_codes.redeem(code, verifier="", method="S256")
