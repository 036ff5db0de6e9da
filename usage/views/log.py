"""The log of single calls, as a part of the usage page."""

from typing import Any

from leadagent.http import HtmxHttpRequest
from leadagent.keyset import BadCursor
from usage.calls.log import usage_log


def log_context(request: HtmxHttpRequest) -> tuple[dict[str, Any], int]:
    """What `usage/log.html` needs, and the status of the answer."""
    try:
        log = usage_log(request.organization, cursor=request.GET.get("cursor", ""))
    except BadCursor as error:
        return {"log_error": str(error)}, 400
    return {"log": log, "is_first_page": "cursor" not in request.GET}, 200
