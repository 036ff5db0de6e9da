from collections.abc import Generator

import pytest

from tests.serving import Served, Visitor, serving


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served, None, None]:
    """The product with its web process, worker and beat, shared by the journeys of this worker."""
    with serving(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture
def admin(served: Served) -> Generator[Visitor, None, None]:
    with Visitor(served, "admin@demo.test") as visitor:
        yield visitor


@pytest.fixture(autouse=True)
def tests_left(served: Served) -> None:
    served.forget_key_tests()
