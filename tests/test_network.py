"""The rule of `tests/conftest.py`: nobody leaves this machine, and most have no network at all."""

import socket

import pytest

# pytest-socket warns before it refuses, and warnings are errors here.
REFUSED = (RuntimeError, UserWarning)
# An address that is set apart for documentation.
ELSEWHERE = ("192.0.2.1", 9)


def test_most_tests_have_no_network() -> None:
    with pytest.raises(REFUSED, match=r"A test tried to use socket\."):
        socket.create_connection(ELSEWHERE).close()


@pytest.mark.network_loopback
def test_journeys_reach_this_machine() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        socket.create_connection(listening.getsockname()).close()


@pytest.mark.network_loopback
def test_journeys_reach_nothing_else() -> None:
    with pytest.raises(REFUSED, match=r"192\.0\.2\.1"):
        socket.create_connection(ELSEWHERE).close()
