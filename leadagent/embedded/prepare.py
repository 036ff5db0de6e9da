"""Migrations and demo data in one process: `python -m leadagent.embedded.prepare`, with the settings' environment.

Exit code 2 means that the last line says in one sentence what the person can put right.
"""

import sys

import django
import redis
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import OperationalError, connection

from leadagent.embedded.errors import NEEDS_ATTENTION


def prepare() -> None:
    """Bring the database up to date and the demo organisation into it; safe to run at every start."""
    django.setup()
    connection.ensure_connection()
    client = redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=5, socket_timeout=5)
    client.ping()
    client.close()
    call_command("migrate", interactive=False, verbosity=1)
    call_command("seed_demo")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")


def main() -> int:
    """Run `prepare`; return the exit code."""
    try:
        prepare()
    except ImproperlyConfigured as error:
        print(_first_line(error) + ".")
    except OperationalError as error:
        print(f"PostgreSQL at DATABASE_URL does not answer ({_first_line(error)}): start it, or unset DATABASE_URL.")
    except redis.ConnectionError as error:
        print(f"Redis at REDIS_URL does not answer ({_first_line(error)}): start it, or unset REDIS_URL.")
    else:
        return 0
    return NEEDS_ATTENTION


if __name__ == "__main__":
    sys.exit(main())
