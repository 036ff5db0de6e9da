"""JSON for an address that other people chose, signed so that they can tell it is from us."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from uuid import UUID

from leadagent import egress
from usage.alerting.delivering import NotDelivered

_SECRET_PREFIX = "whsec_"  # noqa: S105  # nosec B105  # says what follows, is none


def new_secret() -> str:
    """A secret to sign with: 256 random bits, with a prefix that says what it is."""
    return _SECRET_PREFIX + secrets.token_urlsafe(32)


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 over `<timestamp>.<body>` in hex, as the header says it."""
    return "v1=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def post_signed(url: str, body: bytes, *, secret: str, delivery_id: UUID) -> None:
    """POST once, with the headers that prove it. Raises `NotDelivered`."""
    timestamp = str(int(time.time()))
    headers = {
        "X-LeadAgent-Delivery": str(delivery_id),
        "X-LeadAgent-Timestamp": timestamp,
        "X-LeadAgent-Signature": signature(secret, timestamp, body),
    }
    post_json(url, body, headers)


def post_json(url: str, body: bytes, headers: Mapping[str, str]) -> None:
    """POST once to the public internet; anything but a status of 2xx raises `NotDelivered`."""
    headers = {"Content-Type": "application/json", "User-Agent": "LeadAgent-Webhooks", **headers}
    try:
        answer = egress.post(url, body, headers)
    except (egress.EgressRefused, egress.EgressFailed) as error:
        raise NotDelivered(str(error)) from None
    if not 200 <= answer.status < 300:
        raise NotDelivered(f"it answered with status {answer.status}")
