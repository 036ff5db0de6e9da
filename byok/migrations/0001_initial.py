import byok.models
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("tenants", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="AIConfig",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                (
                    "provider",
                    models.CharField(
                        choices=[
                            ("platform_default", "Platform default"),
                            ("openrouter", "OpenRouter"),
                            ("openai", "OpenAI"),
                            ("anthropic", "Anthropic"),
                        ],
                        default="platform_default",
                        max_length=20,
                    ),
                ),
                ("chat_model", models.CharField(blank=True, max_length=200)),
                (
                    "embedding_provider",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("platform_default", "Platform default"),
                            ("openrouter", "OpenRouter"),
                            ("openai", "OpenAI"),
                            ("anthropic", "Anthropic"),
                        ],
                        max_length=20,
                    ),
                ),
                ("embedding_model", models.CharField(blank=True, max_length=200)),
                ("operation_models", models.JSONField(blank=True, default=dict)),
                ("openrouter_site_url", models.URLField(blank=True)),
                ("openrouter_site_name", models.CharField(blank=True, max_length=80)),
                ("usage_tracking", models.BooleanField(default=True)),
                ("version", models.PositiveIntegerField(default=1)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "organization",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="ai_config",
                        to="tenants.organization",
                    ),
                ),
                (
                    "updated_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "AI configuration",
            },
        ),
        migrations.CreateModel(
            name="ProviderCredential",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=byok.models.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "provider",
                    models.CharField(
                        choices=[
                            ("openrouter", "OpenRouter"),
                            ("openai", "OpenAI"),
                            ("anthropic", "Anthropic"),
                        ],
                        max_length=20,
                    ),
                ),
                ("sealed_key", models.TextField(editable=False)),
                ("prefix", models.CharField(editable=False, max_length=16)),
                ("last4", models.CharField(editable=False, max_length=4)),
                (
                    "fingerprint",
                    models.CharField(db_index=True, editable=False, max_length=64),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("untested", "Not tested yet"),
                            ("ok", "Connected"),
                            ("rejected", "Key refused"),
                            ("no_credit", "No credit"),
                            ("unreachable", "Could not be reached"),
                            ("unreadable", "Enter the key again"),
                        ],
                        default="untested",
                        max_length=20,
                    ),
                ),
                ("status_message", models.CharField(blank=True, max_length=500)),
                ("checked_at", models.DateTimeField(blank=True, null=True)),
                ("last_used_at", models.DateTimeField(blank=True, null=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="credentials",
                        to="tenants.organization",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "provider"),
                        name="one_credential_per_provider",
                    )
                ],
            },
        ),
    ]
