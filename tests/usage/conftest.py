"""Organisations with usage, and a spool of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.cache import cache
from pytest_django import Settings

from leadagent.tenants.models import Organization
from tests.factories import OrganizationFactory
from usage.recording import durable, held


@pytest.fixture(autouse=True, scope="package")
def pool_closed_before_the_database_goes(django_db_setup: None) -> Iterator[None]:
    yield
    durable.close()


@pytest.fixture(autouse=True)
def nothing_held() -> Iterator[None]:
    """No thread of one test stores events in the next one's database."""
    with pytest.MonkeyPatch.context() as patience:
        patience.setattr("usage.recording.held.RETRY_SECONDS", 3600.0)
        yield
        held._events.clear()


@pytest.fixture(autouse=True)
def own_places(settings: Settings, tmp_path: Path) -> None:
    """A spool of the test's own, and no Redis."""
    settings.USAGE_SPOOL_DIR = str(tmp_path / "spool")
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "usage"}}
    cache.clear()


@pytest.fixture
def organization(db: None) -> Organization:
    return OrganizationFactory(name="Acme", slug="acme")
