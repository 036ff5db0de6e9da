"""What stops a start, told in one sentence."""

# The exit code of a start that the person can put right.
NEEDS_ATTENTION = 2


class CannotStart(Exception):
    """Something the person can put right; the text is one sentence that says what to do."""


class ProcessFailed(Exception):
    """A process ended by itself; the text names it and holds the end of its log (exit code 1)."""
