"""A backup of the running demo is restored beside it and proved, while people go on working."""

import re
import subprocess
import sys
from pathlib import Path
from secrets import token_hex

from tests.flows.test_workflow import LEAD, WIRES, configure
from tests.serving import REPOSITORY, Served, Visitor


def rehearse(served: Served, *words: str, **changed: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "rehearse_restore", *words],
        cwd=REPOSITORY,
        env=served.environment() | changed,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def databases(served: Served) -> set[str]:
    return {name for (name,) in served.query("SELECT datname FROM pg_database")}


def test_a_backup_and_its_secret_are_enough(served: Served, admin: Visitor, tmp_path: Path) -> None:
    configure(admin, WIRES[1], WIRES[1].key)
    before = databases(served)
    # Its rows come while the dump is made, or after it.
    admin.hand_in_lead(**LEAD)
    kept = tmp_path / "kept.dump"

    done = rehearse(served, "--save", str(kept))

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^Dumped by pg_dump 18\.\d+: [\d.]+ MB in [\d.]+ s\.$", done.stdout, re.MULTILINE)
    rows = re.search(r"^OK +rows: ([\d,]+), the same in each of (\d+) tables$", done.stdout, re.MULTILINE)
    assert rows, done.stdout
    assert int(rows[1].replace(",", "")) > 2_000
    for holds in (
        r"[1-9]\d* partitions, [1-9]\d* triggers, [1-9]\d* functions, .*: the same",
        "its tables are those of this version",
        r"stored keys that open with the configured secrets: [1-9]\d*, all of them",
        r"entries of the audit log: [1-9][\d,]*, unchanged and in their order \(chains: \d+\)",
        r"daily sums equal their calls \(months: [1-9]\)",
        r"sequences that are not behind their rows: [1-9]\d*, all of them",
    ):
        assert re.search(f"^OK +{holds}$", done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"^Restored and proved in [\d.]+ s\.$", done.stdout, re.MULTILINE)
    assert kept.stat().st_mode & 0o077 == 0
    assert databases(served) == before

    # The same backup with another secret, as when the right one is lost.
    other = rehearse(served, "--dump", str(kept), ENCRYPTION_SECRET=token_hex(32))
    assert other.returncode == 1
    assert re.search(r"^FAILED +(\d+) of \1 stored keys do not open$", other.stdout, re.MULTILINE), other.stdout
    assert re.search(
        r"sealed by a secret that is not configured \(key id [0-9a-f]{8}\): set ENCRYPTION_SECRET", other.stdout
    )
    assert "The backup is not good" in other.stderr
    assert re.search(r"^OK +entries of the audit log", other.stdout, re.MULTILINE)
    assert WIRES[1].key not in other.stdout + other.stderr
    assert databases(served) == before

    none = rehearse(served, "--dump", str(kept), ENCRYPTION_SECRET="")
    assert none.returncode != 0
    assert "ENCRYPTION_SECRET is missing" in none.stderr
