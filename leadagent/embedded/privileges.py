"""Which account PostgreSQL runs under: it refuses root."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from leadagent.embedded.errors import CannotStart


@dataclass(frozen=True, slots=True)
class Account:
    """How to run a program under the account, and who owns its files as the runner sees them.

    `prefix` comes before the program's words. `uid` and `gid` are as seen from outside: in a
    user namespace the program believes to be `nobody` while its files are the runner's own.
    """

    prefix: tuple[str, ...]
    uid: int
    gid: int

    def can(self, *words: str | Path) -> bool:
        """Whether this command succeeds under the account."""
        return _succeeds([*self.prefix, *map(str, words)])


def server_account() -> Account:
    """The first way that works here: as we are, in a user namespace, or with root's rights dropped.

    `LEADAGENT_NO_UNSHARE` leaves out the second, as most containers do.
    """
    uid, gid = os.geteuid(), os.getegid()
    if uid != 0 and _has_name(uid):
        return Account((), uid, gid)
    nobody = _unprivileged_user()
    if nobody is not None:
        namespace = ("unshare", "--user", f"--map-user={nobody.pw_uid}", f"--map-group={nobody.pw_gid}")
        if not os.environ.get("LEADAGENT_NO_UNSHARE") and _succeeds([*namespace, "true"]):
            return Account(namespace, uid, gid)
        dropped = ("setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups")
        if uid == 0 and _succeeds([*dropped, "true"]):
            return Account(dropped, nobody.pw_uid, nobody.pw_gid)
    who = "root" if uid == 0 else f"user number {uid}, which has no name on this machine,"
    raise CannotStart(
        f"The embedded PostgreSQL cannot run as {who} and this machine offers no other account: "
        "start as an ordinary user, or set DATABASE_URL to a PostgreSQL of yours."
    )


def _unprivileged_user() -> pwd.struct_passwd | None:
    """`nobody`, else any account but root: initdb wants one with a name."""
    users = [user for user in pwd.getpwall() if user.pw_uid != 0]
    return next((user for user in users if user.pw_name == "nobody"), users[0] if users else None)


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _succeeds(words: Sequence[str]) -> bool:
    if shutil.which(words[0]) is None:
        return False
    # From the root directory: the account need not be able to enter the current one.
    result = subprocess.run(words, capture_output=True, cwd="/", timeout=30, check=False)
    return result.returncode == 0
