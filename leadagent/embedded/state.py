"""The state directory: data, sockets, logs and secrets of one installation, used by one runner at a time."""

import dataclasses
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TextIO

from leadagent.embedded.errors import CannotStart

REPOSITORY = Path(__file__).resolve().parents[2]
# The kernel's limit is 108 bytes with the closing zero; PostgreSQL's is the longest name.
_SOCKET_PATH_BYTES = 107
_SOCKET_NAME_BYTES = len("/.s.PGSQL.5432.lock")


@dataclasses.dataclass(frozen=True, slots=True)
class Secrets:
    """Made once per state directory and kept: losing them makes the stored provider keys unreadable.

    `secret_key` and `encryption_secret` are 64 hexadecimal characters each; `platform_key`
    has the shape of an OpenAI key and is good for the sandbox only; `state_id` tells this
    directory from every other one.
    """

    secret_key: str
    encryption_secret: str
    demo_password: str
    platform_key: str
    state_id: str

    @classmethod
    def generate(cls) -> "Secrets":
        """New random secrets."""
        return cls(
            secret_key=secrets.token_hex(32),
            encryption_secret=secrets.token_hex(32),
            demo_password="-".join(secrets.token_hex(2) for _ in range(4)),
            platform_key=f"sk-proj-sandbox-platform-{secrets.token_hex(12)}",
            state_id=secrets.token_hex(8),
        )


class State:
    """One state directory, open and locked: nobody else runs from it while this object lives.

    Raises `CannotStart` when the directory cannot be written, when its secrets are
    damaged, or when another runner holds it.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.abspath(path.expanduser()))
        self._lock: TextIO | None = None
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path = self.path.resolve()
            with tempfile.TemporaryFile(dir=self.path):
                pass
            self._lock = (self.path / "lock").open("a+", encoding="utf-8")
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise CannotStart(
                f"The state directory {self.path} cannot be written ({reason}): "
                "set LEADAGENT_STATE_DIR to a directory that you can write."
            ) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.seek(0)
            where = self._lock.read().strip()
            self._lock.close()
            raise CannotStart(
                f"Lead Agent is running already from {self.path}{f' at {where}' if where else ''}: stop it first, "
                "or set LEADAGENT_STATE_DIR and PORT to run another one beside it."
            ) from None
        try:
            self.write_address("")
            self.secrets = self._read_or_make_secrets()
        except BaseException:
            self._lock.close()
            raise

    @property
    def marker(self) -> str:
        """Put into the environment of every server process, so that a later run knows its own orphans.

        The path is part of it because a copied directory has the same secrets.
        """
        return f"{self.secrets.state_id}:{self.path}"

    def write_address(self, address: str) -> None:
        """Leave the running instance's address for whoever finds the directory locked."""
        assert self._lock is not None
        self._lock.truncate(0)
        self._lock.write(address)
        self._lock.flush()

    def directory(self, name: str) -> Path:
        """A directory in here that only this user may enter; made when missing."""
        path = self.path / name
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    def socket_directory(self, name: str) -> Path:
        """A directory for a server's socket: in here, or a short one where the kernel's limit on paths asks for it."""
        if len(os.fsencode(self.path / "sockets" / name)) + _SOCKET_NAME_BYTES <= _SOCKET_PATH_BYTES:
            path = self.directory("sockets") / name
            path.mkdir(mode=0o700, exist_ok=True)
            return path
        return self.short_directory(name)

    def short_directory(self, name: str) -> Path:
        """A directory under /tmp with the same name in every run, so that a crash leaves nothing to search for."""
        base = self._short_base
        base.mkdir(mode=0o711, exist_ok=True)
        # Somebody else could have made that name first.
        found = base.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise CannotStart(f"{base} belongs to somebody else: remove it, or choose a shorter LEADAGENT_STATE_DIR.")
        path = base / name
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    @property
    def outside(self) -> Path:
        """Where root keeps what its servers' account cannot reach in here; the same in every run."""
        return Path("/var/lib/leadagent") / self._digest

    def close(self) -> None:
        """Let go of the directory; its files stay, its sockets go."""
        for sockets in (self.path / "sockets", self._short_base):
            shutil.rmtree(sockets, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def remove(self) -> None:
        """Delete everything: this directory and what had to be kept outside of it."""
        if os.geteuid() == 0:
            shutil.rmtree(self.outside, ignore_errors=True)
        shutil.rmtree(self.path, ignore_errors=True)
        self.close()

    @property
    def _digest(self) -> str:
        return hashlib.sha256(self.marker.encode()).hexdigest()[:12]

    @property
    def _short_base(self) -> Path:
        # Not the system's temporary directory: TMPDIR may be long itself.
        return Path("/tmp") / f"leadagent-{self._digest}"  # noqa: S108 # nosec B108 - its owner is checked

    def _read_or_make_secrets(self) -> Secrets:
        path = self.path / "secrets.json"
        try:
            return Secrets(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            pass
        except (ValueError, TypeError, OSError):
            raise CannotStart(
                f"{path} cannot be read: restore it from a copy, or delete {self.path} to start anew without its data."
            ) from None
        made = Secrets.generate()
        # Written beside and renamed: a half-written file would lock the data away for good.
        unfinished = path.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            json.dump(dataclasses.asdict(made), file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
        return made


def state_directory() -> Path:
    """Where the state lies: `LEADAGENT_STATE_DIR`, else `.local` in the checkout."""
    return Path(os.environ.get("LEADAGENT_STATE_DIR") or REPOSITORY / ".local")
