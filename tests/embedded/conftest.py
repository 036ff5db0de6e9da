import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from leadagent.embedded.processes import Runner
from leadagent.embedded.state import State


@pytest.fixture
def state(tmp_path: Path) -> Generator[State, None, None]:
    """A state directory with a space in its name, removed with whatever had to be put outside of it."""
    opened = State(tmp_path / "the state")
    yield opened
    opened.remove()


@pytest.fixture
def runner(state: State) -> Generator[Runner, None, None]:
    made = Runner(marker=state.marker, log_directory=state.directory("log"))
    yield made
    made.stop()


@pytest.fixture
def open_directory() -> Generator[Path, None, None]:
    """A directory that every account may enter; pytest's own are closed."""
    made = Path(tempfile.mkdtemp(prefix="open-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)
