"""Every figure of docs/performance.md can be produced. The numbers themselves are for people: none fails a test."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.project.files import ROOT

# What may have nothing to measure, and how its row says so.
EXCUSES = re.compile(r"not measured: needs|held by `make test`|not there yet")


def test_every_figure_can_be_produced(tmp_path: Path) -> None:
    told = tmp_path / "bench.json"
    environment = os.environ | {"LEADAGENT_STATE_DIR": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--quick", "--json", str(told)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-4000:]
    rows = json.loads(told.read_text())["rows"]
    assert {row["number"] for row in rows} == set(range(1, 19))
    for row in rows:
        assert row["ours"] != "–" or EXCUSES.search(row["note"]), row
        assert f"| {row['number']}" in run.stdout
    # What is measured against a reference has one.
    assert [row for row in rows if row["goal"].endswith("×") and row["ours"] != "–" and row["ratio"] is None] == []
    # Nothing is left behind.
    assert list((tmp_path / "bench").glob("run-*")) == []


def test_the_figures_are_those_that_are_explained() -> None:
    explained = re.findall(r"^\| (\d+) \|", (ROOT / "docs" / "performance.md").read_text(), flags=re.MULTILINE)
    assert sorted(set(map(int, explained))) == list(range(1, 19))
