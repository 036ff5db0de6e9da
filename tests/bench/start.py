"""Figure 17: the import of the web process against an empty Django project, and `make run` from warm to Ready."""

from __future__ import annotations

import subprocess
import sys
import time

from leadagent.embedded.state import REPOSITORY
from tests.bench.measuring import alternate
from tests.bench.place import Bench, say
from tests.bench.report import Row, at_most, milliseconds
from tests.serving import serving

# What `django-admin startproject` installs.
_EMPTY = """
import django
from django.conf import settings
settings.configure(SECRET_KEY="x" * 50, INSTALLED_APPS=[
    "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
    "django.contrib.sessions", "django.contrib.messages", "django.contrib.staticfiles"])
django.setup()
"""
_WEB = "import leadagent.wsgi"
# What a process takes to clear up at its end is no part of its start.
_END = "\nimport os; os._exit(0)"


def figure_17(bench: Bench) -> list[Row]:
    pair = alternate(lambda: _seconds(bench, _WEB), lambda: _seconds(bench, _EMPTY), runs=bench.sizes.runs)
    note = "reference: django.setup() of an empty project"
    ours, reference = milliseconds(pair.ours), milliseconds(pair.reference)
    rows = [at_most(17, "import of the web process", ours, reference, pair.ratio, 2, note)]
    cold = _seconds_to_ready(bench)
    rows.append(Row(17, "`make run` from an empty directory to Ready", milliseconds(cold), goal="reported"))
    if bench.sizes.starts > 1:
        warm = _seconds_to_ready(bench)
        rows.append(Row(17, "`make run` warm to Ready", milliseconds(warm), goal="reported"))
    return rows


def _seconds(bench: Bench, program: str) -> float:
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", program + _END], cwd=REPOSITORY, env=bench.environment_for("small"), check=True
    )
    return time.perf_counter() - begun


def _seconds_to_ready(bench: Bench) -> float:
    say("  starting the whole product")
    begun = time.perf_counter()
    with serving(bench.state.path / "product"):
        return time.perf_counter() - begun
