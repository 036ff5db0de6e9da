"""An internet without sockets: names, addresses and pages as a test wants them, and what was connected to."""

import socket
from dataclasses import dataclass, field
from typing import Any

import httpcore2
import pytest

PUBLIC = "93.184.216.34"


def answer(body: bytes = b"<p>Hi</p>", *, status: int = 200, **headers: str) -> bytes:
    """An HTTP answer; `content_type="…"` becomes a header."""
    named = {"content_type": "text/html", "content_length": str(len(body)), **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in named.items() if value]
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status} X", *lines, ""))
    return head.encode() + body


def leading_to(location: str) -> bytes:
    return answer(b"", status=302, location=location)


@dataclass
class Network:
    """A fake internet. `names` maps a host to its addresses, one list per time it is asked for."""

    names: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    pages: list[bytes] = field(default_factory=list)
    connected: list[tuple[str, int]] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def getaddrinfo(self, host: str, port: int, **_: Any) -> list[Any]:
        self.asked.append(host)
        if answers := self.names.get(host):
            addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        else:
            try:
                # As the C library does with `0177.1` and the like.
                addresses = (socket.inet_ntoa(socket.inet_aton(host)),)
            except OSError:
                addresses = (PUBLIC,)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    def on(self, monkeypatch: pytest.MonkeyPatch) -> "Network":
        """Stand where the guard looks names up and connects."""
        monkeypatch.setattr("leadagent.egress.connection.socket.getaddrinfo", self.getaddrinfo)
        monkeypatch.setattr("leadagent.egress.connection.httpcore2.SyncBackend", self.backend())
        return self

    def backend(self) -> Any:
        network = self

        class Stream(httpcore2.MockStream):
            def write(self, buffer: bytes, timeout: float | None = None) -> None:
                network.sent.append(buffer)

            def start_tls(self, *_: Any, **__: Any) -> httpcore2.NetworkStream:
                return self

        class Backend:
            def connect_tcp(self, host: str, port: int, timeout: float) -> httpcore2.NetworkStream:
                network.connected.append((host, port))
                return Stream([network.pages.pop(0) if len(network.pages) > 1 else network.pages[0]])

        return Backend
