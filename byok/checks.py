"""System checks. What must hold at every start is in `ByokConfig.ready`: servers run no checks."""

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.db import connections
from django.utils import timezone


@checks.register(checks.Tags.database)
def check_secret_age(databases: Sequence[str] | None = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Warn of an encryption secret older than 90 days. Runs with `check --database default` and before `migrate`."""
    from byok.keys.secret_age import current_secret_since, is_old
    from byok.models import SealingSecret

    # The very first `migrate` comes before the table.
    if "default" not in (databases or ()) or (
        SealingSecret._meta.db_table not in connections["default"].introspection.table_names()
    ):
        return []
    since = current_secret_since()
    if since is None or not is_old(since):
        return []
    return [
        checks.Warning(
            f"The encryption secret is in use for {(timezone.now() - since).days} days.",
            hint="Change it: see docs/operations.md, “Rotate the encryption secret”.",
            id="byok.W001",
        )
    ]
