"""Scheduled work on keys. Each task is safe to run twice and side by side."""

from celery import shared_task
from django.utils import timezone

from byok.calls import repairing
from byok.catalog import notices as catalog_notices
from byok.catalog.loading import load_packaged
from byok.catalog.own_models import sync_due_own_models
from byok.catalog.popularity import count_popularity
from byok.catalog.syncing import sync_openrouter
from byok.checking import rechecking
from byok.keys import notices, secret_age
from byok.keys import stored as stored_keys
from byok.keys import use as key_use


@shared_task(name="byok.tasks.recheck_keys")
def recheck_keys() -> None:
    """Look again at the keys whose day has come."""
    rechecking.recheck_due()


@shared_task(name="byok.tasks.repair_usage")
def repair_usage() -> None:
    """Ask providers what calls have cost whose answers were lost on the way back."""
    repairing.repair_due()


@shared_task(name="byok.tasks.tell_admins")
def tell_admins() -> None:
    """Tell admins whose key was refused, once."""
    notices.tell_admins()


@shared_task(name="byok.tasks.note_key_use")
def note_key_use() -> None:
    """Write down which keys were used on the latest complete days."""
    key_use.note_recent_key_use(timezone.now())


@shared_task(name="byok.tasks.drop_superseded_keys")
def drop_superseded_keys() -> None:
    """Delete replaced keys whose 24 hours are over."""
    stored_keys.drop_expired_superseded_keys()


@shared_task(name="byok.tasks.remind_of_secret_age")
def remind_of_secret_age() -> None:
    """Note the encryption secret in use, and remind the operators when it is old."""
    secret_age.remind_operators()


@shared_task(name="byok.tasks.sync_catalog")
def sync_catalog() -> None:
    """Take in what the packaged facts and OpenRouter's list tell since yesterday, and count what is used."""
    load_packaged()
    sync_openrouter()
    count_popularity()


@shared_task(name="byok.tasks.sync_own_models")
def sync_own_models() -> None:
    """Look for fine-tuned models where a key is new, or was not looked at for a day."""
    sync_due_own_models()


@shared_task(name="byok.tasks.tell_of_catalog_changes")
def tell_of_catalog_changes() -> None:
    """Tell admins, once, of new prices and last days of models that they use."""
    catalog_notices.tell_of_changes()
