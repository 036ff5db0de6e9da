"""A process of the product on one database that does what it is told, one JSON line in and one out.

`python -m tests.bench.worker` is started by `place.Worker`; the environment is the product's own.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module

import django


def main() -> None:
    """Answer until the input ends. What a function prints goes to the log, not into the answers."""
    answers, sys.stdout = sys.stdout, sys.stderr
    django.setup()
    for line in sys.stdin:
        asked = json.loads(line)
        module, _, name = asked["do"].rpartition(".")
        try:
            answer = {"value": getattr(import_module(f"tests.bench.{module}"), name)(**asked["with"])}
        except Exception as error:
            import traceback

            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
