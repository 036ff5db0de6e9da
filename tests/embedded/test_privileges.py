"""PostgreSQL starts whoever starts it: as many ways as this machine allows are gone through."""

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from leadagent.embedded.errors import CannotStart
from leadagent.embedded.privileges import Account, server_account
from leadagent.embedded.state import REPOSITORY
from tests.embedded.product import PASSED_ON

_NOBODY = pwd.getpwnam("nobody")
_ROOT = os.geteuid() == 0
_NAMESPACES = (
    subprocess.run(["unshare", "--user", "--map-user=1", "true"], capture_output=True, check=False).returncode == 0
)


def _start(
    state: Path, *, prefix: Sequence[str] = (), environment: Mapping[str, str] | None = None, remove: bool = False
) -> dict[str, object]:
    """Start PostgreSQL once by `database_only.py`; return what it found out about itself."""
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "tests.embedded.database_only", str(state), *(["--remove"] if remove else [])],
        cwd=REPOSITORY,
        env={**{name: os.environ[name] for name in PASSED_ON if name in os.environ}, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    assert found["distance"] == 1.0
    assert found["sockets_open_to_others"] == 0
    assert not Path(str(found["sockets"])).exists()
    return found


def _ways() -> Iterator[tuple[list[str], dict[str, str], str]]:
    """(prefix, environment, the program that changes the user) for each kind of user that can be had here."""
    if not _ROOT:
        yield [], {}, ""
    if _NAMESPACES:
        if _ROOT:
            yield [], {}, "unshare"
        # An ordinary user with a name, and a user number without one, as containers make them up.
        yield ["unshare", "--user", f"--map-user={_NOBODY.pw_uid}", "--map-group=1"], {}, ""
        yield ["unshare", "--user", "--map-user=54321", "--map-group=54321"], {}, "unshare"
    if _ROOT:
        yield [], {"LEADAGENT_NO_UNSHARE": "1"}, "setpriv"


@pytest.mark.parametrize(("prefix", "environment", "changed_by"), list(_ways()))
def test_it_starts_twice_on_its_data(
    open_directory: Path, prefix: list[str], environment: dict[str, str], changed_by: str
) -> None:
    state = open_directory / "state"
    first = _start(state, prefix=prefix, environment=environment)
    assert first["prefix"] == ([changed_by] if changed_by else [])
    assert first["starts"] == 1
    assert not first["outside"]
    again = _start(state, prefix=prefix, environment=environment, remove=True)
    assert again["starts"] == 2
    assert not state.exists()


def test_root_goes_from_one_way_to_the_other_and_back_with_its_data() -> None:
    """In a directory that the unprivileged account cannot enter: its data lie outside from then on."""
    if not _ROOT:
        # The ladder is for root alone: anybody else is served as they are.
        assert server_account().uid == os.geteuid()
        return
    closed = Path(tempfile.mkdtemp(prefix="closed-"))
    try:
        ways = [{}, {"LEADAGENT_NO_UNSHARE": "1"}, {}] if _NAMESPACES else [{"LEADAGENT_NO_UNSHARE": "1"}] * 3
        found = [
            _start(closed / "state", environment=way, remove=number == len(ways))
            for number, way in enumerate(ways, start=1)
        ]
        assert [each["starts"] for each in found] == [1, 2, 3]
        assert found[1]["outside"]
        assert found[1]["data_owner"] == found[1]["server_uid"] == _NOBODY.pw_uid
        assert not str(found[1]["sockets"]).startswith(str(closed))
    finally:
        shutil.rmtree(closed)


def test_programs_out_of_reach_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from leadagent.embedded import postgres

    home = tmp_path / "home"
    home.mkdir()
    account = Account((), os.geteuid(), os.getegid())
    wheel = postgres._site_packages()
    assert postgres._reachable_programs(wheel, home, account).is_relative_to(wheel)
    monkeypatch.setattr(postgres, "_runs", lambda programs, account: programs.is_relative_to(home))
    copied = postgres._reachable_programs(wheel, home, account)
    monkeypatch.undo()
    assert copied.is_relative_to(home)
    assert postgres._runs(copied, account)
    assert (copied.parent / "share" / "postgresql" / "extension" / "vector.control").exists()


def test_where_no_account_can_be_had_a_database_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(CannotStart, match=r"cannot run as root .* set DATABASE_URL") as refusal:
        server_account()
    assert str(refusal.value).count(". ") == 0
