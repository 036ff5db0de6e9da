"""The platform's AI may stand in for an own key, and says so; embedding models are named without their vendor."""

from django.db import migrations, models

# One model's vectors compare, whoever served them: OpenRouter's openai/x is OpenAI's x.
_BARE = """
UPDATE {table} SET embedding_model = regexp_replace(embedding_model, '^.*/', '')
WHERE embedding_model LIKE '%/%'
"""


class Migration(migrations.Migration):
    dependencies = [("leads", "0001_initial")]

    operations = [
        migrations.AddField("document", "platform_granted", models.BooleanField(default=False)),
        migrations.AddField("document", "platform_reason", models.TextField(blank=True)),
        migrations.AddField("step", "on_platform", models.BooleanField(default=False)),
        migrations.AddField("step", "platform_code", models.CharField(blank=True, max_length=40)),
        migrations.AddField("step", "platform_reason", models.TextField(blank=True)),
        migrations.AddField("workflowrun", "platform_grant", models.JSONField(blank=True, default=list)),
        migrations.AddField("workflowrun", "platform_used_at", models.DateTimeField(blank=True, null=True)),
        migrations.RunSQL(_BARE.format(table="leads_document"), migrations.RunSQL.noop),
        migrations.RunSQL(_BARE.format(table="leads_chunk"), migrations.RunSQL.noop),
    ]
