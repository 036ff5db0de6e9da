"""The pre-commit hooks are local, and the programs they start are in the virtual environment."""

import re
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.project.files import ROOT


def hooks() -> list[dict[str, Any]]:
    loaded = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert [repo["repo"] for repo in loaded["repos"]] == ["local"]
    found: list[dict[str, Any]] = loaded["repos"][0]["hooks"]
    return found


def test_hooks_download_nothing() -> None:
    assert {hook["language"] for hook in hooks()} == {"system"}
    assert {hook["id"] for hook in hooks()} == {"ruff-check", "ruff-format", "detect-secrets", "mypy"}


def test_hooks_start_programs_of_the_virtual_environment() -> None:
    for hook in hooks():
        program = hook["entry"].split()[0]
        assert program.startswith(".venv/bin/")
        assert (Path(sys.executable).parent / Path(program).name).exists()


def test_secrets_are_looked_for_in_everything_but_test_data_and_hashes() -> None:
    pattern = next(hook["exclude"] for hook in hooks() if hook["id"] == "detect-secrets")
    assert re.search(pattern, "tests/factories.py")
    assert re.search(pattern, "uv.lock")
    assert not any(re.search(pattern, name) for name in ("leadagent/settings.py", ".env.example", "docker-compose.yml"))
