"""aimock, a provider that others have written: found, or brought by `python -m tests.aimock` (`make test` calls it).

It is the npm package @copilotkit/aimock and speaks the wires of OpenAI, Anthropic and OpenRouter. Our own sandbox
speaks them as we understand them; what both agree on is not likely to be a misunderstanding of ours.
"""

import json
import sys
from pathlib import Path

from tests import node
from tests.commands import REPOSITORY

_PACKAGE = REPOSITORY / "node_modules" / "@copilotkit" / "aimock"
_LOCK = REPOSITORY / "package-lock.json"


def find() -> Path | None:
    """The program, for Node.js to run; None where it is missing or not the version of the lock file."""
    return _PACKAGE / "dist" / "cli.js" if _is_installed() else None


def bring() -> None:
    """Make sure that `find()` finds it, or say why not: the tests that need it then fail, and no others."""
    if _is_installed():
        return
    print("Getting aimock for the tests of the providers' wires", flush=True)
    if not node.install() or not _is_installed():
        print("aimock could not be installed: npm has to reach its registry.", file=sys.stderr)


def _is_installed() -> bool:
    try:
        installed = json.loads((_PACKAGE / "package.json").read_text())["version"]
    except OSError:
        return False
    locked = json.loads(_LOCK.read_text())["packages"]["node_modules/@copilotkit/aimock"]["version"]
    return bool(installed == locked)


if __name__ == "__main__":
    bring()
