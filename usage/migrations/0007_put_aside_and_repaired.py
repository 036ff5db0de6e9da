import django.db.models.deletion
import django.db.models.functions.comparison
import django.db.models.functions.datetime
import django.db.models.functions.text
from django.db import migrations, models


# What was put aside inside the inbox until now.
_MOVE_PUT_ASIDE = """
WITH aside AS (
    DELETE FROM usage_usageinbox WHERE failed_reason <> '' RETURNING event_id, payload, failed_reason, received_at
)
INSERT INTO usage_deadletter (event_id, kind, payload, reason, received_at)
SELECT event_id, 'unstorable', payload, failed_reason, received_at FROM aside ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0005_plain_names'),
        ('usage', '0006_alerts'),
    ]

    operations = [
        migrations.CreateModel(
            name='DroppedMonth',
            fields=[
                ('month', models.DateField(primary_key=True, serialize=False)),
                ('rows', models.BigIntegerField()),
                ('dropped_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'verbose_name': 'month without single calls',
                'verbose_name_plural': 'months without single calls',
            },
        ),
        migrations.AlterField(
            model_name='aiusage',
            name='state',
            field=models.CharField(choices=[('final', 'Recorded'), ('unreconciled', 'Not confirmed'), ('repaired', 'Told afterwards')], default='final', max_length=15),
        ),
        migrations.AlterField(
            model_name='usageinbox',
            name='kind',
            field=models.CharField(choices=[('started', 'Started'), ('answered', 'Answered'), ('finished', 'Finished')], max_length=10),
        ),
        migrations.CreateModel(
            name='DeadLetter',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event_id', models.UUIDField(db_index=True)),
                ('kind', models.CharField(choices=[('unstorable', 'Cannot be stored'), ('conflict', 'Same id, other figures')], max_length=10)),
                ('payload', models.JSONField()),
                ('reason', models.TextField()),
                ('received_at', models.DateTimeField()),
                ('put_aside_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'verbose_name': 'usage event put aside',
                'verbose_name_plural': 'usage events put aside',
                'constraints': [models.UniqueConstraint(models.F('event_id'), models.F('kind'), django.db.models.functions.text.MD5(django.db.models.functions.comparison.Cast('payload', models.TextField())), name='one_dead_letter_per_payload')],
            },
        ),
        migrations.CreateModel(
            name='UnsettledCall',
            fields=[
                ('usage_id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('usage_created_at', models.DateTimeField()),
                ('provider', models.CharField(max_length=20)),
                ('key_owner', models.CharField(max_length=10)),
                ('credential_id', models.UUIDField(null=True)),
                ('provider_request_id', models.CharField(max_length=200)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('next_try_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), db_index=True)),
                ('organization', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='tenants.organization')),
            ],
            options={
                'verbose_name': 'call whose cost is asked for',
                'verbose_name_plural': 'calls whose cost is asked for',
            },
        ),
        migrations.RunSQL(_MOVE_PUT_ASIDE, migrations.RunSQL.noop),
        migrations.RemoveField(
            model_name='usageinbox',
            name='failed_reason',
        ),
    ]
