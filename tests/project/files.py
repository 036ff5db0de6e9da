"""The project's own files as data: settings' names, the example environment, the compose file, the Dockerfile."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


def settings_defaults() -> dict[str, object]:
    """Every name that settings.py reads, with its default where that is a constant (None where not)."""
    found: dict[str, object] = {}
    for node in ast.walk(ast.parse((ROOT / "leadagent/settings.py").read_text())):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        match node.func:
            case ast.Attribute(value=ast.Name(id="env")) | ast.Name(id="_required_secret"):
                name, keywords = node.args[0], {word.arg: word.value for word in node.keywords}
            case _:
                continue
        if isinstance(name, ast.Constant):
            default = keywords.get("default")
            found[str(name.value)] = default.value if isinstance(default, ast.Constant) else None
        else:
            # The body of `_required_secret` itself.
            assert ast.unparse(name) == "name"
    return found


def example_lines() -> dict[str, tuple[str, bool, str]]:
    """`.env.example` as name -> (value, whether it is commented out, the line above it)."""
    found: dict[str, tuple[str, bool, str]] = {}
    above = ""
    for line in (ROOT / ".env.example").read_text().splitlines():
        if assignment := re.fullmatch(r"(#?)([A-Z][A-Z0-9_]*)=(.*)", line):
            mark, name, value = assignment.groups()
            assert name not in found, f"{name} is listed twice"
            found[name] = (value, bool(mark), above)
        above = line
    return found


def compose() -> dict[str, Any]:
    """docker-compose.yml with its anchors merged."""
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def compose_variables() -> set[str]:
    """The names that docker-compose.yml takes from `.env` by interpolation."""
    return set(re.findall(r"(?<!\$)\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()))


def dockerfile() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order, continuation lines joined, as (INSTRUCTION, rest)."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def web_command() -> list[str]:
    """The image's own command."""
    words: list[str] = json.loads(next(rest for word, rest in reversed(dockerfile()) if word == "CMD"))
    return words


def health_command() -> list[str]:
    """The image's own health check."""
    rest = next(rest for word, rest in dockerfile() if word == "HEALTHCHECK")
    words: list[str] = json.loads(rest.partition("CMD ")[2])
    return words
