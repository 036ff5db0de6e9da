"""The name of the route that answered a request: paths hold ids and tokens, names do not."""

from typing import Any

UNMATCHED = "unmatched"


def route_of(request: Any) -> str:
    """`leads:detail`, `api:add_lead`; `unmatched` where no address of ours fits, or nobody came to look.

    Takes any request; one that came to grief before its address was looked up has no match.
    """
    match = getattr(request, "resolver_match", None)
    return str(match.view_name) if match is not None and match.view_name else UNMATCHED
