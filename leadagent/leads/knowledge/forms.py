"""What people may type in and upload for the knowledge base, and no more."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile

from leadagent.leads.knowledge.documents import CONTENT_LIMIT, FILE_TEXT_LIMIT, TITLE_LIMIT
from leadagent.leads.knowledge.search import Within
from leadagent.leads.knowledge.uploads import FILES_AT_ONCE
from leadagent.leads.models import DocumentKind
from leadagent.leads.text import clean

_READABLE_FILES = ".txt,.md,.html,.htm,.pdf,.docx"


class RenameForm(forms.Form):
    """Another title for a document."""

    title = forms.CharField(max_length=TITLE_LIMIT)


class _ReadableText(forms.Form):
    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if "content" in values and not clean(values["content"]):
            self.add_error("content", "There is no readable text in this.")
        return values


class DocumentForm(_ReadableText):
    """A text for the knowledge base."""

    title = forms.CharField(max_length=TITLE_LIMIT)
    content = forms.CharField(
        max_length=CONTENT_LIMIT,
        label="Text",
        help_text="Products, prices, customers, answers you often give. Up to 200,000 characters. "
        "Headings in Markdown (# Prices) are quoted with what is found below them.",
        widget=forms.Textarea(attrs={"rows": 10}),
    )


class _SeveralFiles(forms.ClearableFileInput):
    allow_multiple_selected = True


class _FilesField(forms.FileField):
    """Several files; each is judged by itself by whoever reads it, so that one does not hold up the others."""

    widget = _SeveralFiles

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile[Any]]:
        files = [file for file in (data if isinstance(data, list) else [data]) if file is not None]
        if not files:
            raise forms.ValidationError("Choose at least one file.")
        if len(files) > FILES_AT_ONCE:
            raise forms.ValidationError(f"Choose up to {FILES_AT_ONCE} files at once.")
        return files


class UploadForm(forms.Form):
    """Files for the knowledge base."""

    file = _FilesField(label="Files", widget=_SeveralFiles(attrs={"accept": _READABLE_FILES}))


class ReplaceForm(_ReadableText):
    """The next version of a document's text, which may have come from a file. `version` was on the screen."""

    content = forms.CharField(max_length=FILE_TEXT_LIMIT, label="Text", widget=forms.Textarea(attrs={"rows": 20}))
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1)


class ReplaceFileForm(forms.Form):
    """A file whose text becomes a document's next version; whoever reads it tells what is wrong with it."""

    file = forms.FileField(
        label="File", allow_empty_file=True, widget=forms.ClearableFileInput(attrs={"accept": _READABLE_FILES})
    )


class SearchForm(forms.Form):
    """A question to the knowledge base, and where to look."""

    query = forms.CharField(max_length=300, label="Search by meaning", widget=forms.TextInput(attrs={"type": "search"}))
    kind = forms.ChoiceField(choices=[("", "All documents"), *DocumentKind.choices], label="In", required=False)
    nearness = forms.ChoiceField(
        choices=[("", "Any"), ("0.3", "Related (0.3 and more)"), ("0.5", "Close (0.5 and more)")],
        label="Similarity",
        required=False,
    )

    def within(self) -> Within:
        """Where a valid form wants to search."""
        kind, nearness = self.cleaned_data["kind"], self.cleaned_data["nearness"]
        return Within(kinds=(kind,) if kind else (), similarity=float(nearness or 0))
