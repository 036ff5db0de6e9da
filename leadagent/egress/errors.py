"""Why a request to somebody else's address was not made, or gave nothing."""

from __future__ import annotations


class EgressRefused(Exception):
    """The address is not one that may be asked. The text says why."""


class EgressFailed(Exception):
    """No answer came. The text names the kind of failure, never the address."""
