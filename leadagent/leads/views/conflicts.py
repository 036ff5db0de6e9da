"""Acts on a run or its lead that somebody else may have made impossible."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib import messages
from django.db import transaction

from leadagent.http import HtmxHttpRequest
from leadagent.leads.running.workflow import RunConflict


@contextmanager
def conflicts_told(request: HtmxHttpRequest) -> Iterator[None]:
    """The block as one transaction; a `RunConflict` undoes it and is told to the person on the next page."""
    try:
        with transaction.atomic():
            yield
    except RunConflict as conflict:
        messages.warning(request, str(conflict))
