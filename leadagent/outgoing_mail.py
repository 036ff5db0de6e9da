"""Mails that tell somebody something: plain text and HTML of one pair of templates, recognised when they come twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string


def notice_mail(
    template: str,
    context: Mapping[str, Any],
    *,
    subject: str,
    to: Sequence[str],
    matter: str,
    reply_to: Sequence[str] | None = None,
) -> EmailMultiAlternatives:
    """A mail of `<template>.txt` and `<template>.html`, ready to be sent.

    `matter` names what is told, and to whom where that are several mails: the same for every try, so that a mail
    server that took it twice shows it once.
    """
    host = urlsplit(settings.PUBLIC_URL).hostname or "localhost"
    mail = EmailMultiAlternatives(
        # Names must not break out of a header.
        subject=" ".join(subject.split()),
        body=render_to_string(f"{template}.txt", dict(context)),
        to=list(to),
        reply_to=reply_to,
        headers={"Message-ID": f"<{matter}@{host}>"},
    )
    mail.attach_alternative(render_to_string(f"{template}.html", dict(context)), "text/html")
    return mail
