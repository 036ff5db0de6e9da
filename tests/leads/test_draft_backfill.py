"""Drafts from before their texts were kept get a history: as the model wrote them and, where edited, as they are."""

from importlib import import_module

import pytest
from django.db import connection

from leadagent.leads.emails.deciding import edit_draft
from leadagent.leads.models import DraftRevision
from tests.factories import UserFactory
from tests.leads.factories import draft_under_review

MIGRATION = "leadagent.leads.migrations.0006_draft_history"


@pytest.mark.django_db
def test_what_was_there_becomes_a_history() -> None:
    untouched, edited, by = draft_under_review(), draft_under_review(), UserFactory()
    edit_draft(edited, subject="A", body="Ann's", by=by, version=1)
    DraftRevision.objects.all().delete()

    migration = import_module(MIGRATION)
    with connection.cursor() as cursor:
        cursor.execute(migration._WRITTEN)
        cursor.execute(migration._EDITED)

    rows = DraftRevision.objects.order_by("draft_id", "number").values_list(
        "draft_id", "number", "kind", "body", "author"
    )
    assert set(rows) == {
        (untouched.pk, 1, "written", untouched.body, None),
        (edited.pk, 1, "written", edited.original_body, None),
        (edited.pk, 2, "edited", "Ann's", by.pk),
    }
