from decimal import Decimal

from django.db import migrations, models

import usage.analytics.durations

# What is summed already knows neither errors nor durations: it is summed again from the events that are there.
_KEY = "organization_id, day, operation, provider, model, key_owner, error_code"
_MEASURES = {
    "requests": "count(*)",
    "successes": "count(*) FILTER (WHERE success)",
    "input_tokens": "sum(input_tokens)",
    "cached_input_tokens": "sum(cached_input_tokens)",
    "cache_write_tokens": "sum(cache_write_tokens)",
    "output_tokens": "sum(output_tokens)",
    "reasoning_tokens": "sum(reasoning_tokens)",
    "total_tokens": "sum(total_tokens)",
    "actual_cost": "coalesce(sum(actual_cost), 0)",
    "estimated_cost": "coalesce(sum(estimated_cost) FILTER (WHERE actual_cost IS NULL), 0)",
    "unpriced_requests": "count(*) FILTER (WHERE actual_cost IS NULL AND estimated_cost IS NULL)",
    "duration_ms": "coalesce(sum(duration_ms), 0)",
    "durations": usage.analytics.durations.COUNTED_SQL,
}
_SUM_AGAIN = f"""
DELETE FROM usage_usagedaily
WHERE day >= (SELECT min((created_at AT TIME ZONE 'UTC')::date) FROM usage_aiusage);
INSERT INTO usage_usagedaily ({_KEY}, {", ".join(_MEASURES)})
SELECT organization_id, (created_at AT TIME ZONE 'UTC')::date AS day, operation, provider, model, key_owner, error_code,
{", ".join(_MEASURES.values())} FROM usage_aiusage GROUP BY {_KEY};
"""


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0005_plain_names'),
        ('usage', '0007_put_aside_and_repaired'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='usagedaily',
            name='usage_daily_key',
        ),
        migrations.AddField(
            model_name='usagedaily',
            name='durations',
            field=models.DecimalField(db_default=0, decimal_places=0, default=Decimal('0'), max_digits=660),
        ),
        migrations.AddField(
            model_name='usagedaily',
            name='error_code',
            field=models.CharField(blank=True, db_default='', default='', max_length=40),
        ),
        migrations.RunSQL(_SUM_AGAIN, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name='usagedaily',
            constraint=models.UniqueConstraint(fields=('organization', 'day', 'operation', 'provider', 'model', 'key_owner', 'error_code'), name='usage_daily_key'),
        ),
    ]
