import socket

import pytest

from leadagent.embedded.errors import CannotStart
from leadagent.embedded.ports import port_from_environment, reserve_port


@pytest.mark.parametrize("value", ["abc", "-1", "65536", "80.0", "٣"])
def test_what_is_no_port_is_told(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", value)
    with pytest.raises(CannotStart, match="use a number from 1 to 65535"):
        port_from_environment()


@pytest.mark.parametrize(("value", "port"), [("", 8000), ("0", 0), ("65535", 65535)])
def test_ports(value: str, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", value)
    assert port_from_environment() == port


def test_a_reserved_port_is_on_loopback_and_taken_for_others() -> None:
    with reserve_port(0) as reserved:
        address, port = reserved.getsockname()
        assert address == "127.0.0.1"
        with pytest.raises(CannotStart, match=f"Port {port} is in use by another program: .* PORT={port + 1} make run"):
            reserve_port(port)


def test_connections_that_linger_do_not_bar_the_port() -> None:
    with reserve_port(0) as reserved:
        port = reserved.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            accepted, _ = reserved.accept()
            # The side that closes first keeps the address for a minute.
            accepted.close()
    reserve_port(port).close()
