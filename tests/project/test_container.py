"""Dockerfile and docker-compose.yml: what they name exists, and what they start starts.

No container engine is needed: the web command and its health check run as plain processes.
"""

import http.client
import json
import os
import re
import secrets
import subprocess
import sys
import time
from contextlib import closing
from fnmatch import fnmatch
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import get_commands

from tests.project.files import ROOT, compose, dockerfile, example_lines, health_command, web_command
from tests.project.running_web import BIN, running_web

APP_SERVICES = ("web", "worker", "beat", "migrate")


def service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = compose()["services"][name]
    return found


# --- The image ----------------------------------------------------------------------


def test_image_copies_what_exists_and_the_ignore_file_lets_through() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    assert patterns[0] == "*"
    allowed = {pattern[1:] for pattern in patterns if pattern.startswith("!")}
    copied = {
        source
        for word, rest in dockerfile()
        if word == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    }
    assert {source for source in copied if not (ROOT / source).exists()} == set()
    assert copied == allowed


def test_image_holds_every_package_of_ours_and_no_secret() -> None:
    copied = [rest.split()[0] for word, rest in dockerfile() if word == "COPY" and not rest.startswith("--from")]
    ours = {
        Path(config.path).relative_to(ROOT).parts[0]
        for config in apps.get_app_configs()
        if Path(config.path).is_relative_to(ROOT) and ".venv" not in Path(config.path).parts
    }
    assert {"leadagent", "byok", "usage"} <= ours <= set(copied)
    assert not [source for source in copied if fnmatch(source, ".env*") or source in {".", ".git", ".local", "tests"}]


def test_image_runs_as_a_plain_user_with_pinned_parts() -> None:
    instructions = dockerfile()
    words = [word for word, _ in instructions]
    last_stage = instructions[len(words) - 1 - words[::-1].index("FROM") :]
    assert [rest for word, rest in last_stage if word == "USER"] == ["leadagent"]
    assert ("STOPSIGNAL", "SIGTERM") in last_stage
    images = [rest.split()[0] for word, rest in instructions if word == "FROM"]
    assert all(re.fullmatch(r"python:3\.11-slim-\w+|base", image) for image in images)
    assert any(re.search(r"\buv==\d+\.\d+\.\d+", rest) for word, rest in instructions if word == "RUN")
    assert any("uv sync --frozen --no-default-groups" in rest for word, rest in instructions if word == "RUN")


def healthy(env: dict[str, str], port: str) -> bool:
    command = [word.replace("8000", port) for word in health_command()]
    command[0] = str(BIN / command[0])
    return subprocess.run(command, env=env, capture_output=True, timeout=30, check=False).returncode == 0


@pytest.mark.network_loopback
def test_web_command_starts_answers_its_health_check_and_stops_on_sigterm() -> None:
    env = {
        "PATH": os.environ["PATH"],
        "LEADAGENT_ENV": "production",
        "PUBLIC_URL": "https://leads.acme.test",
        "SECRET_KEY": secrets.token_hex(32),
        "ENCRYPTION_SECRET": secrets.token_hex(32),
        "DATABASE_URL": "postgres://leadagent@127.0.0.1:1/none",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "EMAIL_URL": "smtp://127.0.0.1:1",
        "WEB_DRAIN_SECONDS": "3",
    }
    with running_web(env) as (port, process):
        deadline = time.monotonic() + 60
        while not (answered := healthy(env, port)) and time.monotonic() < deadline:
            time.sleep(0.5)
        assert answered
        # A host name that is not the product's is refused, so the check does tell something.
        assert not healthy(env | {"PUBLIC_URL": "https://elsewhere.test"}, port)
        assert readiness(port) == (503, "not ready")
        # Load balancers are told at once; who was sent here before they looked is still served.
        process.terminate()
        deadline = time.monotonic() + 2
        while readiness(port) != (503, "stopping"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert healthy(env, port)
    assert not healthy(env, port)


def readiness(port: str) -> tuple[int, str]:
    with closing(http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)) as connection:
        connection.request("GET", "/readyz", headers={"Host": "leads.acme.test"})
        answer = connection.getresponse()
        return answer.status, json.load(answer)["status"]


# --- The services -------------------------------------------------------------------


def test_services_are_those_of_the_product() -> None:
    assert set(compose()["services"]) == {*APP_SERVICES, "postgres", "redis"}
    assert service("postgres")["image"] == "pgvector/pgvector:pg18"


def test_every_variable_is_in_the_example_file() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    used = set(re.findall(r"(?<!\$)\$\{?(\w+)", text)) - {"HOSTNAME"}
    assert used
    assert used <= set(example_lines())


def test_no_secret_stands_in_the_compose_file() -> None:
    for name in compose()["services"]:
        for key, value in service(name).get("environment", {}).items():
            if re.search("SECRET|PASSWORD|KEY|TOKEN", key):
                assert value.startswith("${"), key
            assert not re.search(r"://[^@/:]*:(?!\$\{)[^@/]*@", value), key
    assert all(service(name)["env_file"] == ".env" for name in APP_SERVICES)


@pytest.mark.parametrize("name", APP_SERVICES)
def test_app_services_run_with_as_few_rights_as_they_need(name: str) -> None:
    found = service(name)
    assert "user" not in found  # The image's own, which is not root.
    assert found["read_only"] is True
    assert found["cap_drop"] == ["ALL"]
    assert "cap_add" not in found
    assert found["security_opt"] == ["no-new-privileges:true"]
    # Where one leaves events, the others must find them.
    assert found["volumes"] == [
        "usage-spool:" + found["environment"]["USAGE_SPOOL_DIR"],
        "usage-exports:" + found["environment"]["EXPORT_DIR"],
    ]


def test_every_volume_is_declared() -> None:
    named = {
        volume.partition(":")[0] for found in compose()["services"].values() for volume in found.get("volumes", [])
    }
    assert named == set(compose()["volumes"])


@pytest.mark.parametrize("name", ["web", "worker", "beat"])
def test_services_wait_for_migrations_and_servers_and_come_back(name: str) -> None:
    found = service(name)
    assert {key: value["condition"] for key, value in found["depends_on"].items()} == {
        "migrate": "service_completed_successfully",
        "postgres": "service_healthy",
        "redis": "service_healthy",
    }
    assert found["restart"] == "unless-stopped"


def test_migrations_run_once_after_postgres() -> None:
    assert service("migrate")["restart"] == "no"
    assert service("migrate")["depends_on"] == {"postgres": {"condition": "service_healthy"}}


@pytest.mark.parametrize("name", ["web", "worker", "beat", "postgres", "redis"])
def test_long_running_services_have_a_health_check(name: str) -> None:
    check = service(name)["healthcheck"]
    assert check["test"][0] in {"CMD", "CMD-SHELL"}
    assert {"interval", "timeout", "retries"} <= set(check)


def test_web_is_checked_as_the_image_says_and_published_on_loopback_only() -> None:
    assert service("web")["healthcheck"]["test"] == ["CMD", *health_command()]
    assert [port.startswith("127.0.0.1:") for port in service("web")["ports"]] == [True]
    assert not [name for name in compose()["services"] if name != "web" and "ports" in service(name)]


def test_beat_check_notices_a_schedule_that_is_no_longer_saved(tmp_path: Path) -> None:
    command = service("beat")["command"]
    schedule = command[command.index("--schedule") + 1]
    test: list[str] = service("beat")["healthcheck"]["test"]
    assert f"{schedule}*" in test[-1]
    here = tmp_path / "beat-schedule"
    check = [sys.executable, "-c", test[-1].replace(schedule, str(here))]

    def passes() -> bool:
        return subprocess.run(check, capture_output=True, timeout=30, check=False).returncode == 0

    assert not passes()
    here.with_suffix(".dat").touch()
    assert passes()
    old = time.time() - 3600
    os.utime(here.with_suffix(".dat"), (old, old))
    assert not passes()


# --- Their commands -----------------------------------------------------------------


def test_gunicorn_knows_the_options() -> None:
    program, *words = web_command()
    assert program == "gunicorn"
    # gunicorn carries no types.
    options = import_module("gunicorn.config").Config().parser().parse_args(words)
    assert options.args == ["leadagent.wsgi"]
    assert find_spec("leadagent.wsgi") is not None
    assert options.worker_class == "gthread"
    assert options.control_socket_disable is True
    grace = float(service("web")["stop_grace_period"].removesuffix("s"))
    assert options.graceful_timeout < grace


@pytest.mark.parametrize("name", ["worker", "beat"])
def test_celery_knows_the_command_and_its_options(name: str) -> None:
    from celery.bin.celery import celery

    program, quiet, option, app, command, *words = service(name)["command"]
    assert (program, quiet, option, command) == ("celery", "--quiet", "-A", name)
    assert find_spec(f"{app}.celery") is not None
    known = {option for parameter in celery.commands[command].params for option in parameter.opts}
    used = {word for word in words if word.startswith("--")}
    assert used
    assert used <= known


def test_worker_check_uses_options_that_celery_knows() -> None:
    from celery.bin.celery import celery

    text = service("worker")["healthcheck"]["test"][1]
    known = {option for parameter in celery.commands["inspect"].params for option in parameter.opts}
    assert set(re.findall(r"--[a-z-]+", text)) - {"--quiet"} <= known
    assert " inspect ping " in text


def test_manage_commands_exist() -> None:
    assert service("migrate")["command"][:2] == ["python", "manage.py"]
    in_image = [rest for word, rest in dockerfile() if word == "RUN" and "manage.py" in rest]
    used = {service("migrate")["command"][2], *re.findall(r"manage\.py (\w+)", " ".join(in_image))}
    assert used == {"migrate", "collectstatic"}
    assert used <= set(get_commands())
