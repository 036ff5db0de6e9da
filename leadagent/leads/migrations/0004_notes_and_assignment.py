"""Leads have somebody who looks after them, keep their verdict in a column, and can be written notes about."""

import django.db.models.deletion
import django.utils.timezone
import uuid6
from django.conf import settings
from django.db import migrations, models

# The verdict of each lead's newest run that has one.
_VERDICTS = """
UPDATE leads_lead SET category = newest.category
FROM (
    SELECT DISTINCT ON (lead_id) lead_id, category FROM leads_workflowrun
    WHERE category <> '' ORDER BY lead_id, created_at DESC, id DESC
) newest
WHERE newest.lead_id = leads_lead.id
"""


class Migration(migrations.Migration):
    dependencies = [
        ("leads", "0003_outcomes"),
        ("tenants", "0005_plain_names"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            "lead",
            "category",
            models.CharField(
                blank=True,
                choices=[
                    ("QUALIFIED", "Qualified"),
                    ("UNQUALIFIED", "Unqualified"),
                    ("SUPPORT", "Support"),
                    ("FOLLOW_UP", "Follow up"),
                ],
                editable=False,
                max_length=12,
                default="",
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            "lead",
            "assigned_to",
            models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.RunSQL(_VERDICTS, migrations.RunSQL.noop),
        migrations.CreateModel(
            name="LeadNote",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid6.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("text", models.TextField(max_length=5000)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("edited_at", models.DateTimeField(blank=True, editable=False, null=True)),
                (
                    "author",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "lead",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="notes", to="leads.lead"
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="lead_notes",
                        to="tenants.organization",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["lead", "-created_at", "-id"], name="note_newest_first")],
            },
        ),
    ]
