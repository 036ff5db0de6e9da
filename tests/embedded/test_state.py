import json
import os
import re
from pathlib import Path

import pytest

from leadagent.embedded.errors import CannotStart
from leadagent.embedded.state import State


def test_secrets_are_made_once_for_the_owner_only(tmp_path: Path) -> None:
    with_first = State(tmp_path / "state")
    first = with_first.secrets
    with_first.close()
    again = State(tmp_path / "state")
    assert again.secrets == first
    again.close()
    assert (tmp_path / "state" / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert re.fullmatch(r"[0-9a-f]{64}", first.encryption_secret)
    other = State(tmp_path / "other")
    assert not {other.secrets.secret_key, other.secrets.demo_password} & {first.secret_key, first.demo_password}
    other.close()


def test_one_runner_at_a_time(tmp_path: Path) -> None:
    running = State(tmp_path)
    running.write_address("http://127.0.0.1:8123")
    with pytest.raises(CannotStart, match=r"running already from .* at http://127.0.0.1:8123: stop it first"):
        State(tmp_path)
    running.close()
    State(tmp_path).close()


def test_damaged_secrets_are_not_replaced(tmp_path: Path) -> None:
    State(tmp_path).close()
    (tmp_path / "secrets.json").write_text('{"secret_key": "half')
    with pytest.raises(CannotStart, match="cannot be read: restore it from a copy, or delete"):
        State(tmp_path)
    assert (tmp_path / "secrets.json").read_text() == '{"secret_key": "half'


@pytest.mark.parametrize("below", ["/proc/version", "/proc/nowhere", "/dev/null/state"])
def test_a_place_that_cannot_be_written_is_told(below: str) -> None:
    # None of them can be written even by root.
    with pytest.raises(CannotStart, match=r"cannot be written .*: set LEADAGENT_STATE_DIR to a directory"):
        State(Path(below))


def test_a_copied_directory_is_another_one(tmp_path: Path) -> None:
    """Its processes must not be taken for the orphans of the copy."""
    first, copy = State(tmp_path / "first"), tmp_path / "copy"
    copy.mkdir()
    (copy / "secrets.json").write_text((tmp_path / "first" / "secrets.json").read_text())
    second = State(copy)
    assert json.loads((copy / "secrets.json").read_text())["state_id"] == first.secrets.state_id
    assert second.marker != first.marker
    assert second.outside != first.outside
    first.close()
    second.close()


def test_long_paths_get_a_short_place_for_sockets(tmp_path: Path) -> None:
    deep = State(tmp_path / ("long-" * 20))
    sockets = deep.socket_directory("postgres")
    assert len(os.fsencode(sockets)) < 60
    assert sockets.stat().st_mode & 0o777 == 0o700
    assert sockets == deep.socket_directory("postgres")
    deep.close()
    assert not sockets.parent.exists()


def test_a_short_place_that_somebody_else_made_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = State(tmp_path / ("long-" * 20))
    taken = deep.short_directory("postgres").parent
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    with pytest.raises(CannotStart, match="belongs to somebody else"):
        deep.socket_directory("postgres")
    monkeypatch.undo()
    deep.close()
    assert not taken.exists()
