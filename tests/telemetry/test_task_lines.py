"""A task's lines name the request that caused it, through the broker and through tasks that ask for tasks."""

import logging
from typing import Any

from celery import Celery
from celery.app.trace import build_tracer

from leadagent.telemetry.context import current_request_id, fresh_context
from leadagent.telemetry.task_lines import HEADER
from tests.telemetry.conftest import Lines

app = Celery("lines", broker="memory://localhost", set_as_current=False)
app.conf.update(task_ignore_result=True)
# celery is untyped; mypy sees no decorators of tasks in tests.
task: Any = app.task


@task(name="lines.first")
def first() -> None:
    logging.getLogger("work").info("first works")
    second.delay()


@task(name="lines.second")
def second() -> None:
    logging.getLogger("work").info("second works")


@task(name="lines.fails")
def fails() -> None:
    raise ValueError("with sk-proj-0123456789abcdefSECRET inside")


def work_off(found: Any) -> dict[str, Any]:
    """Take the oldest message from the broker and run its task as a worker does; its headers."""
    with app.connection_for_read() as connection, connection.channel() as channel:
        message = channel.basic_get("celery", no_ack=True)
    assert message is not None
    headers: dict[str, Any] = message.headers
    assert headers["task"] == found.name
    build_tracer(found.name, found, app=app)(headers["id"], [], {}, headers)
    return headers


def test_a_task_and_what_it_asks_for_carry_the_requests_id(lines: Lines) -> None:
    with fresh_context(request_id="edge-0123456789"):
        first.delay()
    handed_on = [work_off(first)[HEADER], work_off(second)[HEADER]]
    assert handed_on == ["edge-0123456789"] * 2
    assert [(line["message"], line.get("task"), line["request_id"]) for line in lines()] == [
        ("first works", None, "edge-0123456789"),
        ("task", "lines.first", "edge-0123456789"),
        ("second works", None, "edge-0123456789"),
        ("task", "lines.second", "edge-0123456789"),
    ]
    assert all(line["task_id"] for line in lines())
    assert lines("first works")[0]["task_id"] != lines("second works")[0]["task_id"]
    assert current_request_id() == ""


def test_a_task_of_beat_has_no_request(lines: Lines) -> None:
    second.delay()
    assert HEADER not in work_off(second)
    assert [line.get("request_id") for line in lines()] == [None, None]


def test_what_another_program_put_into_the_broker_is_no_id(lines: Lines) -> None:
    second.apply_async(headers={HEADER: "sk-proj-0123456789abcdef"})
    work_off(second)
    assert {len(line["request_id"]) for line in lines()} == {16}


def test_a_task_that_fails_says_so_without_the_key(lines: Lines) -> None:
    fails.delay()
    work_off(fails)
    [end] = lines("task")
    assert (end["task"], end["state"], end["level"]) == ("lines.fails", "FAILURE", "warning")
    [told] = [line for line in lines() if line["logger"] == "celery.app.trace"]
    assert told["task_id"] == end["task_id"]
    assert "ValueError" in str(told)
    assert "SECRET" not in str(lines())


def test_a_task_inside_a_request_gives_its_context_back() -> None:
    with fresh_context(request_id="edge-0123456789"):
        second.apply()
        assert current_request_id() == "edge-0123456789"
