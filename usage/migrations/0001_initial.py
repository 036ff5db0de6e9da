import django.db.models.deletion
import django.db.models.functions.datetime
import django.utils.timezone
from decimal import Decimal
from django.db import migrations, models


# Django cannot say PARTITION BY. Lean indexes: what a page really asks for, and the key that
# makes an event that comes twice harmless.
_CREATE_PARTITIONED = """
CREATE TABLE usage_aiusage (
    id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    organization_id bigint NOT NULL,
    operation varchar(40) NOT NULL,
    provider varchar(20) NOT NULL,
    model varchar(200) NOT NULL,
    key_owner varchar(10) NOT NULL,
    credential_id uuid,
    price_version varchar(60) NOT NULL,
    input_tokens bigint NOT NULL,
    cached_input_tokens bigint NOT NULL,
    cache_write_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    reasoning_tokens bigint NOT NULL,
    total_tokens bigint NOT NULL,
    actual_cost numeric(20, 12),
    estimated_cost numeric(20, 12),
    lead_id uuid,
    run_id uuid,
    duration_ms integer,
    success boolean NOT NULL,
    http_status smallint,
    error_code varchar(40) NOT NULL,
    error_message varchar(500) NOT NULL,
    streamed boolean NOT NULL,
    provider_request_id varchar(200) NOT NULL,
    state varchar(15) NOT NULL,
    PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX usage_log_of_organization ON usage_aiusage (organization_id, created_at DESC, id DESC);
"""


def _first_partitions(apps, schema_editor):
    from usage.ledger.partitions import ensure_partitions, months_ahead

    ensure_partitions(months_ahead(3))


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("tenants", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="UsageInbox",
            fields=[
                ("seq", models.BigAutoField(primary_key=True, serialize=False)),
                ("event_id", models.UUIDField()),
                (
                    "kind",
                    models.CharField(
                        choices=[("started", "Started"), ("finished", "Finished")],
                        max_length=10,
                    ),
                ),
                ("payload", models.JSONField()),
                ("failed_reason", models.TextField(blank=True, db_default="")),
                (
                    "received_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now()
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["event_id"], name="usage_inbox_event")
                ],
            },
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="AIUsage",
                    fields=[
                        ("input_tokens", models.BigIntegerField(default=0)),
                        ("cached_input_tokens", models.BigIntegerField(default=0)),
                        ("cache_write_tokens", models.BigIntegerField(default=0)),
                        ("output_tokens", models.BigIntegerField(default=0)),
                        ("reasoning_tokens", models.BigIntegerField(default=0)),
                        ("total_tokens", models.BigIntegerField(default=0)),
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "id",
                                "created_at",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("id", models.UUIDField(editable=False)),
                        ("created_at", models.DateTimeField(editable=False)),
                        ("operation", models.CharField(max_length=40)),
                        ("provider", models.CharField(max_length=20)),
                        ("model", models.CharField(max_length=200)),
                        (
                            "key_owner",
                            models.CharField(
                                choices=[
                                    ("customer", "Own key"),
                                    ("platform", "Platform key"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("credential_id", models.UUIDField(null=True)),
                        ("price_version", models.CharField(blank=True, max_length=60)),
                        (
                            "actual_cost",
                            models.DecimalField(
                                decimal_places=12, max_digits=20, null=True
                            ),
                        ),
                        (
                            "estimated_cost",
                            models.DecimalField(
                                decimal_places=12, max_digits=20, null=True
                            ),
                        ),
                        ("lead_id", models.UUIDField(null=True)),
                        ("run_id", models.UUIDField(null=True)),
                        ("duration_ms", models.IntegerField(null=True)),
                        ("success", models.BooleanField()),
                        ("http_status", models.SmallIntegerField(null=True)),
                        ("error_code", models.CharField(blank=True, max_length=40)),
                        ("error_message", models.CharField(blank=True, max_length=500)),
                        ("streamed", models.BooleanField(default=False)),
                        (
                            "provider_request_id",
                            models.CharField(blank=True, max_length=200),
                        ),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("final", "Recorded"),
                                    ("unreconciled", "Not confirmed"),
                                ],
                                default="final",
                                max_length=15,
                            ),
                        ),
                        (
                            "organization",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                to="tenants.organization",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "AI usage",
                        "indexes": [
                            models.Index(
                                fields=["organization", "-created_at", "-id"],
                                name="usage_log_of_organization",
                            )
                        ],
                    },
                ),
            ],
            database_operations=[
                migrations.RunSQL(_CREATE_PARTITIONED, "DROP TABLE usage_aiusage")
            ],
        ),
        migrations.RunPython(_first_partitions, migrations.RunPython.noop),
        migrations.CreateModel(
            name="FreeTierMonth",
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
                ("month", models.DateField()),
                ("used", models.PositiveIntegerField(default=0)),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="free_tier_months",
                        to="tenants.organization",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "month"),
                        name="one_free_tier_row_per_month",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="UsageDaily",
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
                ("input_tokens", models.BigIntegerField(default=0)),
                ("cached_input_tokens", models.BigIntegerField(default=0)),
                ("cache_write_tokens", models.BigIntegerField(default=0)),
                ("output_tokens", models.BigIntegerField(default=0)),
                ("reasoning_tokens", models.BigIntegerField(default=0)),
                ("total_tokens", models.BigIntegerField(default=0)),
                ("day", models.DateField()),
                ("operation", models.CharField(max_length=40)),
                ("provider", models.CharField(max_length=20)),
                ("model", models.CharField(max_length=200)),
                (
                    "key_owner",
                    models.CharField(
                        choices=[("customer", "Own key"), ("platform", "Platform key")],
                        max_length=10,
                    ),
                ),
                ("requests", models.BigIntegerField(default=0)),
                ("successes", models.BigIntegerField(default=0)),
                (
                    "actual_cost",
                    models.DecimalField(
                        decimal_places=12, default=Decimal("0"), max_digits=24
                    ),
                ),
                (
                    "estimated_cost",
                    models.DecimalField(
                        decimal_places=12, default=Decimal("0"), max_digits=24
                    ),
                ),
                ("unpriced_requests", models.BigIntegerField(default=0)),
                ("duration_ms", models.BigIntegerField(default=0)),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
            ],
            options={
                "verbose_name": "daily usage",
                "verbose_name_plural": "daily usage",
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "organization",
                            "day",
                            "operation",
                            "provider",
                            "model",
                            "key_owner",
                        ),
                        name="usage_daily_key",
                    )
                ],
            },
        ),
    ]
