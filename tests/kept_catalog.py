"""The packaged catalog for tests whose end empties every table: put back from a copy, by the signal that loads it.

Loading takes a second, putting back a few milliseconds. The copy is made once per database, after the
migrations; Django does not know its tables and so leaves them alone.
"""

from typing import Any

from django.apps import apps
from django.db import connection, transaction
from django.db.models.signals import post_migrate

from byok.catalog.loading import load_after_migrate
from byok.models import CatalogModel, CatalogSync

_KEPT = {model._meta.db_table: f"kept_{model._meta.db_table}" for model in (CatalogSync, CatalogModel)}


def keep_catalog() -> None:
    """Copy what the migrations loaded, and put that back from now on instead of loading anew."""
    with connection.cursor() as cursor:
        for table, kept in _KEPT.items():
            cursor.execute(f"DROP TABLE IF EXISTS {kept}")
            cursor.execute(f"CREATE TABLE {kept} AS TABLE {table}")
    sender = apps.get_app_config("byok")
    assert post_migrate.disconnect(load_after_migrate, sender=sender)
    post_migrate.connect(_put_back, sender=sender)


def _put_back(**signal: Any) -> None:
    if signal.get("plan"):
        # Migrations ran: the tables may be new.
        load_after_migrate(**signal)
        return
    with transaction.atomic(), connection.cursor() as cursor:
        for table, kept in _KEPT.items():
            columns = ", ".join(
                f'"{column.name}"' for column in connection.introspection.get_table_description(cursor, kept)
            )
            cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {kept} ON CONFLICT DO NOTHING")
            # Numbers may begin anew with the tables.
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), greatest(max(id), 1)) FROM {table}")
