"""The image installs production dependencies only: whatever the product imports has to be among them."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from typing import Any

from tests.project.files import ROOT

OURS = {"leadagent", "byok", "usage"}


def _name(text: str) -> str:
    """A distribution's name in the spelling of the lock file."""
    return re.sub(r"[-_.]+", "-", text).lower()


def _installed_in_production() -> set[str]:
    """Everything that the project's dependencies bring along, by the lock file."""
    locked = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    packages: dict[str, dict[str, Any]] = {package["name"]: package for package in locked}
    found: set[tuple[str, str]] = set()
    waiting = [("leadagent", "")]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in found:
            continue
        found.add((name, extra))
        package = packages[name]
        needs = package.get("optional-dependencies", {}).get(extra, []) if extra else package.get("dependencies", [])
        for need in needs:
            waiting += [(need["name"], ""), *((need["name"], wanted) for wanted in need.get("extra", []))]
    return {name for name, _ in found}


def _imports() -> Iterator[tuple[str, str]]:
    """(file, top-level module) of every import in what the image runs; the embedded servers are not run there."""
    for package in sorted(OURS):
        for path in sorted((ROOT / package).rglob("*.py")):
            where = str(path.relative_to(ROOT))
            if where.startswith("leadagent/embedded/"):
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    yield from ((where, alias.name.partition(".")[0]) for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                    yield where, node.module.partition(".")[0]


def test_what_the_product_imports_is_installed_in_production() -> None:
    installed = _installed_in_production()
    providers = packages_distributions()
    foreign = {(where, name) for where, name in _imports() if name not in OURS | set(sys.stdlib_module_names)}
    assert len(foreign) > 50
    missing = {
        f"{where} imports {name}"
        for where, name in foreign
        if not {_name(found) for found in providers.get(name, [])} & installed
    }
    assert missing == set()
