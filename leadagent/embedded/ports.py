"""The address that the web process listens on."""

import errno
import os
import socket

from leadagent.embedded.errors import CannotStart

LOOPBACK = "127.0.0.1"


def port_from_environment() -> int:
    """`PORT`, 8000 when unset; 0 asks for any free one."""
    value = os.environ.get("PORT") or "8000"
    if not value.isascii() or not value.isdecimal() or int(value) > 65535:
        raise CannotStart(f"PORT is {value!r}: use a number from 1 to 65535.")
    return int(value)


def reserve_port(port: int) -> socket.socket:
    """Listen on `port` of the loopback address, so that it stays ours until the web process takes it over."""
    reserved = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # Without this, connections that linger from the last run would look like somebody else's server.
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        reserved.bind((LOOPBACK, port))
        reserved.listen(1)
    except OSError as error:
        reserved.close()
        if error.errno == errno.EACCES:
            raise CannotStart(f"Port {port} needs root: choose one above 1023, for example PORT=8000.") from None
        other = port + 1 if port < 65535 else 8000
        raise CannotStart(
            f"Port {port} is in use by another program: stop that program, or choose another port, "
            f"for example PORT={other} make run."
        ) from None
    return reserved
