"""Scheduled work on keys. Each task is safe to run twice and side by side."""

from celery import shared_task
from django.utils import timezone

from byok import key_use, notices, rechecking, secret_age, stored_keys


@shared_task(name="byok.tasks.recheck_keys")
def recheck_keys() -> None:
    """Look again at the keys whose day has come."""
    rechecking.recheck_due()


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
