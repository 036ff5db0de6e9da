"""Tokens may be for reading leads only."""

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models

_SCOPES = [
    ("config:read", "Read the AI configuration"),
    ("config:write", "Change the AI configuration"),
    ("usage:read", "Read usage and costs"),
    ("leads:read", "Read leads and their notes"),
    ("leads:write", "Hand in, read and change leads"),
]


class Migration(migrations.Migration):
    dependencies = [("tenants", "0005_plain_names")]

    operations = [
        migrations.AlterField(
            "apitoken", "scopes", ArrayField(models.CharField(choices=_SCOPES, max_length=20), size=None)
        )
    ]
