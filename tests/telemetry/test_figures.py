"""Counters of several processes add up in one answer, and their labels stay few."""

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from leadagent.telemetry import figures
from leadagent.telemetry.metrics_server import serve_metrics
from leadagent.telemetry.traces import start_tracing
from tests.project.files import ROOT

TOKEN = "0123456789abcdef0123456789abcdef"
COUNT = """
import django; django.setup()
from leadagent.telemetry.figures import count_request, count_task, exposition
count_request(method="GET", route="home", status=200, seconds=0.2)
count_task(task="usage.tasks.drain_inbox", state="SUCCESS", seconds=0.2)
import sys
print(exposition() if sys.argv[1:] else "")
"""


def count_in_another_process(directory: Path, *words: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COUNT, *words],
        env=os.environ | {"METRICS_DIR": str(directory), "DJANGO_SETTINGS_MODULE": "leadagent.settings"},
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(done.stdout)
        for sample in family.samples
        if not sample.name.endswith("_bucket")
    }


def test_processes_that_ended_stay_in_the_sums(tmp_path: Path) -> None:
    directory = tmp_path / "metrics"
    count_in_another_process(directory)
    told = count_in_another_process(directory, "tell")
    assert told["leadagent_http_requests_total"] == 2
    assert told["leadagent_http_request_seconds_count"] == 2
    assert told["leadagent_http_request_seconds_sum"] == pytest.approx(0.4)
    assert told["leadagent_tasks_total"] == 2
    assert directory.stat().st_mode & 0o077 == 0


def test_a_new_start_forgets_processes_that_are_gone(tmp_path: Path, settings: Settings) -> None:
    settings.METRICS_DIR = str(tmp_path)
    here, gone = tmp_path / f"counter_{os.getpid()}.db", tmp_path / "histogram_4194305.db"
    for file in (here, gone, tmp_path / "something.else"):
        file.touch()
    figures.forget_earlier_processes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [here.name, "something.else"]


@pytest.mark.django_db
def test_requests_are_counted_by_route(settings: Settings) -> None:
    settings.METRICS_TOKEN = TOKEN

    def counted() -> dict[tuple[str, str, str], float]:
        answer = Client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        return {
            (sample.labels["method"], sample.labels["route"], sample.labels["status"]): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
            if sample.name == "leadagent_http_requests_total"
        }

    before = counted()
    for path in ("/healthz", "/no-such-page/1", "/no-such-page/2", "/o/acme/leads/", "/o/globex/leads/"):
        Client().get(path)
    Client().generic("BREW", "/healthz")
    after = counted()
    moved = {labels: value - before.get(labels, 0) for labels, value in after.items()}
    assert {labels: value for labels, value in moved.items() if value} == {
        ("GET", "metrics", "200"): 1,
        ("GET", "healthz", "200"): 1,
        ("GET", "unmatched", "404"): 2,
        ("GET", "leads:list", "302"): 2,
        ("other", "healthz", "200"): 1,
    }


@pytest.fixture
def worker_port(settings: Settings) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    settings.WORKER_METRICS_PORT, settings.METRICS_TOKEN = port, TOKEN
    server = serve_metrics()
    assert server is not None
    yield port
    server.shutdown()
    server.server_close()


@pytest.mark.network_loopback
def test_a_worker_answers_for_itself_to_the_operator_only(worker_port: int) -> None:
    def ask(path: str, token: str) -> tuple[int, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{worker_port}{path}")
        request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, ""

    figures.count_task(task="usage.tasks.drain_inbox", state="SUCCESS", seconds=0.1)
    status, text = ask("/metrics", TOKEN)
    assert status == 200
    assert 'leadagent_tasks_total{state="SUCCESS",task="usage.tasks.drain_inbox"}' in text
    assert ask("/metrics", "wrong" * 8)[0] == 404
    assert ask("/metrics", "")[0] == 404
    assert ask("/", TOKEN)[0] == 404


def test_no_port_no_server_and_no_endpoint_no_traces(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert serve_metrics() is None
    set_by: list[object] = []
    monkeypatch.setattr("leadagent.telemetry.traces.trace.set_tracer_provider", set_by.append)
    start_tracing()
    assert set_by == []
    settings.OTEL_EXPORTER_OTLP_ENDPOINT = "http://127.0.0.1:1"
    start_tracing()
    [provider] = set_by
    assert provider.resource.attributes["service.name"] == "leadagent"  # type: ignore[attr-defined]  # the SDK's
    provider.shutdown()  # type: ignore[attr-defined]  # as above


@pytest.mark.network_loopback
def test_a_port_that_is_taken_keeps_no_worker_from_working(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings.WORKER_METRICS_PORT = taken.getsockname()[1]
        assert serve_metrics() is None
    assert "cannot be used" in caplog.text
