from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("usage", "0008_rollup_by_error_and_duration")]

    operations = [
        migrations.AddIndex(
            model_name="usagedaily",
            index=models.Index(
                condition=models.Q(("requests__gt", models.F("successes"))), fields=["day"], name="usage_daily_failed"
            ),
        ),
    ]
