"""How much one request may carry: Django itself bounds texts, and files not at all."""

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler


class UploadQuota(FileUploadHandler):
    """Refuses a request before its files are read, if all of it is larger than `UPLOAD_MAX_MB`."""

    def handle_raw_input(
        self,
        input_data: Any,
        META: Any,  # noqa: N803 -- Django's name
        content_length: int,
        boundary: str,
        encoding: str | None = None,
    ) -> None:
        if content_length > settings.UPLOAD_MAX_MB * 1024 * 1024:
            raise RequestDataTooBig(f"Everything in one upload may have {settings.UPLOAD_MAX_MB} MB together.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """The handlers behind this one make the file."""
