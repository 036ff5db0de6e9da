"""Every fault that accounting has to survive, on real servers and processes.

After each: the calls that the provider counted are the rows, no row is there twice, and the
daily sums are the sums of the rows.
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.chaos.conftest import Sizes
from tests.chaos.lab import DRAIN, PLATFORM_KEY, Lab, until
from tests.chaos.tally import Tally, assert_same_costs, states, tally

Counted = Callable[[Tally], None]


# --- Redis --------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["down", "killed", "flushed"])
def test_redis_goes(lab: Lab, sizes: Sizes, counted: Counted, how: str) -> None:
    tenant = lab.tenant()
    lab.control.ask("begin", organization=tenant.number)
    until(lambda: len(tenant.recorded()) >= sizes.calls, "calls are under way")
    match how:
        case "down":
            lab.redis.stop()
            time.sleep(sizes.away_seconds)
            lab.redis.start()
        case "killed":
            lab.kill_redis()
            lab.redis.start()
        case "flushed":
            with lab.redis_client() as client:
                client.flushall()
    before = len(tenant.recorded())
    until(lambda: len(tenant.recorded()) >= before + sizes.calls, "calls go on")
    outcomes = lab.control.ask("end")
    assert set(outcomes) == {"ok"}
    counted(tally(f"Redis {how}", tenant))
    assert_same_costs(tenant)


# --- PostgreSQL ---------------------------------------------------------------------


@pytest.mark.parametrize("how", ["restarted", "killed"])
def test_postgresql_goes_in_the_middle_of_a_batch(lab: Lab, sizes: Sizes, counted: Counted, how: str) -> None:
    tenant = lab.tenant()
    with lab.batches_held_up():
        lab.control.ask("calls", organization=tenant.number, count=sizes.calls)
        lab.wait_for_a_held_up_batch()
        if how == "restarted":
            lab.postgres.stop()
        else:
            lab.kill_postgres()
    lab.postgres.start()
    counted(tally(f"PostgreSQL {how} in mid-batch", tenant))
    assert_same_costs(tenant)


def test_postgresql_is_away(lab: Lab, sizes: Sizes, counted: Counted) -> None:
    """Own keys go on, the platform's wait; nobody waits for the server call after call."""
    own, platform = lab.tenant(), lab.tenant_on_platform()
    with lab.calling() as free:
        free.ask("calls", organization=platform.number, count=1)
        free.ask("begin", organization=platform.number, threads=1)
        lab.control.ask("begin", organization=own.number)
        until(lambda: len(own.recorded()) >= sizes.calls, "calls are under way")
        lab.postgres.stop()
        before = len(own.recorded())
        began = time.monotonic()
        time.sleep(sizes.away_seconds)
        made = len(own.recorded()) - before
        seconds = time.monotonic() - began
        lab.postgres.start()
        outcomes, refused = lab.control.ask("end"), free.ask("end")
    assert set(outcomes) == {"ok"}
    assert made / seconds > 1, "own keys went on"
    assert set(refused) <= {"ok", "quota_unavailable", "quota_exhausted"}
    assert refused["quota_unavailable"] > 0
    counted(tally(f"PostgreSQL away for {sizes.away_seconds:.0f} s", own))
    assert_same_costs(own)
    counted(tally("the same, platform's key", platform, calls=1 + refused["ok"]))
    (used,) = lab.query("SELECT used FROM usage_freetiermonth WHERE organization_id = %s", platform.number)[0]
    # What was reserved in the moment of the fall stays reserved: never in anybody's favour twice.
    assert 1 + refused["ok"] <= used <= 1 + refused["ok"] + refused["quota_unavailable"]
    assert len(lab.recorded([PLATFORM_KEY])) == 1 + refused["ok"]


# --- Processes ----------------------------------------------------------------------


def test_a_worker_is_killed_in_the_middle_of_a_batch(lab: Lab, sizes: Sizes, counted: Counted) -> None:
    tenant = lab.tenant()
    with lab.batches_held_up():
        lab.control.ask("calls", organization=tenant.number, count=sizes.calls)
        lab.wait_for_a_held_up_batch()
        lab.worker.kill()
    lab.restart_worker()
    counted(tally("worker killed in mid-batch", tenant))
    assert_same_costs(tenant)


def test_a_calling_process_is_killed_in_the_middle_of_calls(lab: Lab, counted: Counted) -> None:
    """Of calls whose answer had not begun nothing is known but that they were made."""
    tenant = lab.tenant("slow10")
    with lab.calling() as caller:
        caller.tell("calls", organization=tenant.number, count=4, threads=4)
        until(lambda: len(tenant.recorded()) == 4, "the calls have arrived")
    assert tenant.rows() == []
    tenant.give_up_open_calls()
    counted(tally("process killed in mid-call", tenant))
    assert states(tenant) == {"unreconciled": 4}
    assert {cost for (cost,) in tenant.rows("coalesce(actual_cost, estimated_cost)")} == {None}


def test_a_calling_process_is_killed_in_the_middle_of_streams(lab: Lab, counted: Counted) -> None:
    """Once a stream has begun its name is known: the provider is asked what was billed."""
    tenant = lab.tenant("slow3")
    with lab.calling() as caller:
        caller.tell("calls", organization=tenant.number, count=4, threads=4, stream=True)
        names = "SELECT count(*) FROM usage_usageinbox WHERE kind = 'answered' AND payload->>'organization_id' = %s"
        until(lambda: lab.query(names, str(tenant.number))[0][0] == 4, "the streams have begun")
    until(lambda: all(_hung_up(lab, entry["id"]) for entry in tenant.recorded()), "the provider has noticed")
    tenant.give_up_open_calls()
    until(lambda: states(tenant) == {"unreconciled": 4} or states(tenant).get("repaired"), "they are given up")
    lab.control.ask("tasks", names=["byok.tasks.repair_usage"], times=1)
    until(lambda: states(tenant) == {"repaired": 4}, "they are repaired")
    counted(tally("process killed in mid-stream", tenant))
    billed = {entry["id"]: _hung_up(lab, entry["id"]) for entry in tenant.recorded()}
    assert {name: str(cost.normalize()) for name, cost in tenant.rows("provider_request_id, actual_cost")} == billed


def _hung_up(lab: Lab, answer_id: str) -> str:
    """What the provider bills for a stream that was cut, as it noted itself; empty while it has not noticed."""
    notes = lab.record_file.with_name(lab.record_file.name + ".cancelled")
    lines = notes.read_text().splitlines() if notes.exists() else []
    costs = [note["usage"]["cost"] for note in map(json.loads, lines) if note["id"] == answer_id]
    return str(Decimal(costs[0]).normalize()) if costs else ""


# --- Events -------------------------------------------------------------------------


def test_events_come_twice_and_in_any_order(lab: Lab, sizes: Sizes, counted: Counted) -> None:
    tenant = lab.tenant()
    with lab.batches_held_up() as holding:
        lab.control.ask("calls", organization=tenant.number, count=sizes.calls)
        mine = "WHERE payload->>'organization_id' = %s"
        copy = f"""INSERT INTO usage_usageinbox (event_id, kind, payload)
            SELECT event_id, kind, payload FROM usage_usageinbox {mine} ORDER BY seq DESC"""
        lab.query(f"CREATE TABLE seen_by_chaos AS SELECT * FROM usage_usageinbox {mine}", str(tenant.number))
        lab.query(copy, str(tenant.number))
        lab.query(copy, str(tenant.number))
        holding.rollback()
    counted(tally("events doubled and reordered", tenant))
    lab.query(
        "INSERT INTO usage_usageinbox (event_id, kind, payload) SELECT event_id, kind, payload FROM seen_by_chaos ORDER BY seq DESC"
    )
    lab.query("DROP TABLE seen_by_chaos")
    until(lambda: not lab.query("SELECT FROM usage_usageinbox WHERE kind = 'finished'"), "they are drained")
    tenant.give_up_open_calls()
    counted(tally("the same events, a day late", tenant))
    assert states(tenant) == {"final": len(tenant.recorded())}
    assert lab.query("SELECT FROM usage_deadletter") == []


def test_the_disk_of_the_spool_is_full(lab: Lab, sizes: Sizes, counted: Counted) -> None:
    tenant = lab.tenant()
    # Of its own: the worker would set the full file aside for its next replay, and there would be room again.
    spool = lab.spool.with_name("small-spool")
    with lab.calling(CHAOS_FILE_SIZE="3000", USAGE_SPOOL_DIR=str(spool)) as caller:
        caller.ask("begin", organization=tenant.number)
        until(lambda: len(tenant.recorded()) >= 3, "calls are under way")
        lab.postgres.stop()
        before = len(tenant.recorded())
        until(lambda: len(tenant.recorded()) >= before + sizes.calls, "calls go on")
        outcomes = caller.ask("end")
        held = caller.ask("held_events")
        assert 0 < (spool / "usage.jsonl").stat().st_size <= 3000
        lab.postgres.start()
        until(lambda: caller.ask("held_events") == 0, "what was held in memory is stored")
    lab.spool.mkdir(parents=True, exist_ok=True)
    with (lab.spool / "usage.jsonl").open("ab") as theirs:
        theirs.write((spool / "usage.jsonl").read_bytes())
    assert set(outcomes) == {"ok"}
    assert held > 0
    counted(tally("disk of the spool full", tenant))
    assert_same_costs(tenant)


def test_beat_fires_twice(lab: Lab, sizes: Sizes, counted: Counted) -> None:
    tenant = lab.tenant()
    second = lab.second_beat()
    lab.control.ask("begin", organization=tenant.number)
    names = [
        DRAIN,
        "usage.tasks.reconcile",
        "usage.tasks.prepare_partitions",
        "usage.tasks.drop_expired_months",
        "usage.tasks.send_cost_alerts",
        "byok.tasks.repair_usage",
    ]
    for _ in range(3):
        lab.control.ask("tasks", names=names, times=2)
        time.sleep(0.3)
    until(lambda: len(tenant.recorded()) >= 2 * sizes.calls, "calls were made")
    lab.control.ask("end")
    second.kill()
    counted(tally("beat firing twice", tenant))
    assert_same_costs(tenant)


def test_a_month_ends(lab: Lab, counted: Counted) -> None:
    tenant = lab.tenant()
    with lab.calling() as caller:
        caller.ask("calls", organization=tenant.number, count=1)
        caller.ask("travel", to="2027-12-31T23:59:58.500000+00:00")
        caller.ask("begin", organization=tenant.number, threads=2)
        time.sleep(3)
        caller.ask("end")
    counted(tally("month boundary", tenant))
    tables = dict(
        lab.query(
            "SELECT tableoid::regclass::text, count(*) FROM usage_aiusage WHERE organization_id = %s "
            "AND created_at > '2027-12-01' GROUP BY 1",
            tenant.number,
        )
    )
    assert set(tables) == {"usage_aiusage_2027_12", "usage_aiusage_2028_01"}
    days = dict(
        lab.query(
            "SELECT day, sum(requests)::int FROM usage_usagedaily WHERE organization_id = %s AND day > '2027-12-01' "
            "GROUP BY 1",
            tenant.number,
        )
    )
    midnight = datetime(2028, 1, 1, tzinfo=UTC)
    assert {day.isoformat(): count for day, count in days.items()} == {
        "2027-12-31": tables["usage_aiusage_2027_12"],
        "2028-01-01": tables["usage_aiusage_2028_01"],
    }
    assert all((at < midnight) == (at.year == 2027) for (at,) in tenant.rows("created_at") if at.year > 2026)


# --- The provider -------------------------------------------------------------------

# The fault, what the key asks the sandbox for, whose wire, streamed -> how the call ends for the caller.
PROVIDER_FAULTS = [
    ("401", "invalid", "openrouter", False, "invalid_key"),
    ("402", "nocredit", "openrouter", False, "no_credit"),
    ("403", "forbidden", "openrouter", False, "content_refused"),
    ("429", "ratelimit", "openrouter", False, "rate_limited"),
    ("500", "servererror", "openrouter", False, "overloaded"),
    ("529", "overloaded", "anthropic", False, "overloaded"),
    ("connection reset", "reset", "openai", False, "unreachable"),
    ("slow drip", "slow2", "openrouter", True, "ok"),
    ("bad JSON", "broken", "openrouter", False, None),
    ("stream cut", "broken", "openrouter", True, None),
    ("stream cut", "broken", "anthropic", True, None),
    ("huge body", "huge", "openrouter", False, "ok"),
    # The SDK takes it for an answer; we do not.
    ("error inside 200", "errorin200", "openrouter", False, "ok"),
    ("error inside a stream", "errorin200", "openrouter", True, None),
]


@pytest.mark.parametrize(("fault", "asked_for", "provider", "stream", "ends"), PROVIDER_FAULTS, ids=str)
def test_the_provider_fails(
    lab: Lab,
    sizes: Sizes,
    counted: Counted,
    fault: str,
    asked_for: str,
    provider: str,
    stream: bool,
    ends: str | None,
) -> None:
    tenant = lab.tenant(asked_for, provider=provider)
    count = max(3, sizes.calls // 8)
    outcomes = lab.control.ask("calls", organization=tenant.number, count=count, stream=stream)
    assert sum(outcomes.values()) == count
    if ends is None:
        assert "ok" not in outcomes
    else:
        assert outcomes == {ends: count}
    counted(tally(f"{provider}: {fault}", tenant))
    rows = tenant.rows("success, coalesce(actual_cost, estimated_cost), http_status")
    # A huge body goes through to the caller; we read it up to 32 MiB and no further.
    assert {success for success, *_ in rows} == {fault == "slow drip"}
    refused = [cost for success, cost, status in rows if not success and status and status >= 400]
    assert all(cost == 0 for cost in refused), "what was refused is not billed"


def test_the_provider_takes_too_long(lab: Lab, counted: Counted) -> None:
    tenant = lab.tenant("slow4")
    with lab.calling(AI_READ_TIMEOUT="1") as caller:
        assert caller.ask("calls", organization=tenant.number, count=3) == {"timeout": 3}
    counted(tally("openrouter: timeout", tenant))
    assert {cost for (cost,) in tenant.rows("coalesce(actual_cost, estimated_cost)")} == {None}


# --- Keys ---------------------------------------------------------------------------


def test_saves_at_the_same_time(lab: Lab, sizes: Sizes, counted: Counted) -> None:
    """Whatever key is in force at the moment of a call: it goes to its own provider, and the call is counted."""
    tenant = lab.tenant()
    keys = {"openrouter": lab.tenant().keys[0], "openai": lab.tenant(provider="openai").keys[0]}
    tenant.keys += keys.values()
    with lab.calling() as other:
        other.tell("saves", organization=tenant.number, keys=keys, count=sizes.calls * 2)
        outcomes = lab.control.ask("resolve_and_call", organization=tenant.number, count=sizes.calls * 2)
        saved = other.answer()
    assert set(outcomes) == {"ok"}
    assert saved["saved"] >= 1
    counted(tally("concurrent saves", tenant))
    wires = {entry["wire"]: entry["status"] for entry in tenant.recorded()}
    assert set(wires.values()) == {200}, "no provider saw another one's key"


def test_the_secret_is_missing(lab: Lab, counted: Counted) -> None:
    tenant = lab.tenant()
    lab.control.ask("calls", organization=tenant.number, count=2)
    with lab.calling(ENCRYPTION_SECRET="4f0c9b" + "27d1a8e35b" * 5 + "90c6f1d2") as stranger:
        assert stranger.ask("resolve_and_call", organization=tenant.number, count=3) == {"key_unreadable": 3}
    without = lab.manage("check", ENCRYPTION_SECRET="")
    assert without.returncode != 0
    assert "ENCRYPTION_SECRET is missing" in without.stderr
    counted(tally("secret missing", tenant))
    assert len(tenant.rows()) == 2


def test_the_rollup_can_be_proved_after_all_that(lab: Lab) -> None:
    """Runs last: whatever the faults before it did."""
    until(lambda: not lab.query("SELECT FROM usage_usageinbox WHERE kind = 'finished'"), "everything is drained")
    proved = lab.manage("rebuild_rollups", "--check")
    assert proved.returncode == 0, proved.stderr + proved.stdout
    assert "every daily sum equals its calls" in proved.stdout
    assert lab.query("SELECT FROM usage_deadletter") == []
