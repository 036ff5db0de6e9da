"""Django's error reports, of use for finding the fault and of none for finding a key.

A report is the technical page of DEBUG, and whatever an operator has Django mail or send. Frames
hold opened keys, and posted fields hold pasted ones, so neither has its values in a report.
"""

from collections.abc import ItemsView
from types import FrameType
from typing import Any

from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

from leadagent.logs import scrub


class ErrorReportFilter(SafeExceptionReporterFilter):
    """No variables of frames, and of posted fields the names only: always, not only where a view asks for it."""

    def is_active(self, request: HttpRequest | None) -> bool:
        """In DEBUG, too: its page is seen by more people than by the one who has typed the key."""
        return True

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        """The names of the posted fields."""
        return dict.fromkeys(request.POST if request is not None else (), self.cleansed_substitute)

    def get_traceback_frame_variables(self, request: HttpRequest | None, tb_frame: FrameType) -> ItemsView[str, Any]:
        """None of them."""
        return {}.items()


class ErrorReporter(ExceptionReporter):
    """Scrubs the finished report, so that messages of exceptions and addresses are covered too."""

    def get_traceback_html(self) -> SafeString:
        """The report as a page."""
        # Django's own markup with less in it.
        return SafeString(scrub(super().get_traceback_html()))  # nosec B703

    def get_traceback_text(self) -> SafeString:
        """The report as plain text."""
        return SafeString(scrub(super().get_traceback_text()))  # nosec B703
