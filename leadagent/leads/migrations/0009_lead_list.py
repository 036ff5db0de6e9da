"""What the list of leads is searched, filtered and ordered by: the leads' words, their last activity, and indexes."""

import django.utils.timezone
from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import migrations, models

_SEPARATORS = "@._-+/:;,#&=?~<>"

# Before there was such a column, the newest run is what is known of a lead's activity.
_ACTIVITY = """
UPDATE leads_lead SET last_activity_at = greatest(
    created_at, (SELECT max(updated_at) FROM leads_workflowrun WHERE lead_id = leads_lead.id)
)
"""


def _words_of(column: str) -> models.Func:
    return models.Func(
        column,
        models.Value(_SEPARATORS),
        models.Value(" " * len(_SEPARATORS)),
        function="translate",
        output_field=models.TextField(),
    )


def _index(name: str, *fields: str) -> migrations.AddIndex:
    return migrations.AddIndex("lead", models.Index(fields=["organization", *fields, "-id"], name=name))


class Migration(migrations.Migration):
    dependencies = [
        ("leads", "0008_uploads"),
        ("tenants", "0005_plain_names"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            "lead",
            "last_activity_at",
            models.DateTimeField(default=django.utils.timezone.now, editable=False),
        ),
        migrations.RunSQL(_ACTIVITY, migrations.RunSQL.noop),
        migrations.AddField(
            "lead",
            "search",
            models.GeneratedField(
                expression=SearchVector(
                    *(_words_of(column) for column in ("name", "email", "company", "message")), config="simple"
                ),
                output_field=SearchVectorField(),
                db_persist=True,
                editable=False,
            ),
        ),
        _index("lead_by_activity", "-last_activity_at"),
        _index("lead_by_status", "status", "-created_at"),
        _index("lead_by_category", "category", "-created_at"),
        _index("lead_by_assignee", "assigned_to", "-created_at"),
        _index("lead_by_source", "source", "-created_at"),
        migrations.AddIndex("lead", GinIndex(fields=["search"], name="lead_search", fastupdate=False)),
    ]
