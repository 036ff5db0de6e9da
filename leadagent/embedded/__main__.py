"""`python -m leadagent.embedded serve` is what `make run` starts."""

import argparse
import sys

from leadagent.embedded.errors import NEEDS_ATTENTION, CannotStart, ProcessFailed


def main() -> int:
    """Run the command; 0 after a stop that was asked for, 1 when a process failed, 2 when it could not start."""
    parser = argparse.ArgumentParser(prog="python -m leadagent.embedded", description=__doc__)
    parser.add_argument("command", choices=["serve"])
    parser.parse_args()
    try:
        from leadagent.embedded.serve import serve

        serve()
    except ImportError as error:
        print(f"The package {error.name} is not installed: start with `make run`, which installs it.", file=sys.stderr)
    except CannotStart as error:
        print(error, file=sys.stderr)
    except ProcessFailed as error:
        print(error, file=sys.stderr)
        return 1
    else:
        return 0
    return NEEDS_ATTENTION


if __name__ == "__main__":
    sys.exit(main())
