"""`manage.py take_bounce`: one delivery status notification from standard input, as a mail server pipes it."""

import sys
from typing import Any

from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError

from leadagent.leads.emails.bounces import LARGEST, take_bounce

# sysexits.h: the mail server keeps the mail and tries again.
EX_TEMPFAIL = 75


class Command(BaseCommand):
    help = (
        "Reads one mail from standard input. If it is a delivery status notification (RFC 3464) about an email that "
        "was sent from here, it is shown on the page of the lead. Any other mail is left alone. Exit status 0, or 75 "
        "when the database is away and the mail server should try again."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        raw = sys.stdin.buffer.read(LARGEST)
        # The rest is read too: a mail server may take a pipe that closes early for a failure.
        while sys.stdin.buffer.read(LARGEST):
            pass
        try:
            self.stdout.write(take_bounce(raw))
        except (OperationalError, InterfaceError):
            self.stderr.write("The database is away.")
            sys.exit(EX_TEMPFAIL)
