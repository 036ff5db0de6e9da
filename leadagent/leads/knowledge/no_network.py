"""No network and no further programs for the process that reads a file, whatever that file makes a library do.

The kernel refuses the calls (a seccomp filter, which needs no rights and works inside of containers), for native code
too. Beside it, and in its place where a kernel or machine knows no such filter, Python itself refuses them.
Loaded by its path from `extraction`, so it knows nothing of us.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys
from typing import Any

# How the kernel names the machine (AUDIT_ARCH_*), and the numbers of what is refused: socket, socketpair, bind, listen,
# connect, sendto, sendmsg, execve, execveat, ptrace, io_uring_setup (which could do all of it by another way).
_MACHINES = {
    "x86_64": (0xC000003E, (41, 53, 49, 50, 42, 44, 46, 59, 322, 101, 425)),
    "aarch64": (0xC00000B7, (198, 199, 200, 201, 203, 206, 211, 221, 281, 117, 425)),
}
# x86_64 has a second set of numbers, from here on.
_X32 = 0x40000000

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, _PR_SET_NO_NEW_PRIVS = 22, 2, 38
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _ANSWER = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM

_REFUSED_EVENTS = ("socket.", "subprocess.", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.fork", "pty.")


def shut() -> bool:
    """Shut the network and the start of programs off for this process, for good; whether the kernel does it too."""
    by_kernel = _shut_by_kernel()
    sys.addaudithook(_refuse)
    return by_kernel


def _refuse(event: str, _: tuple[Any, ...]) -> None:
    if event.startswith(_REFUSED_EVENTS):
        raise PermissionError(errno.EPERM, f"{event} is not for the reader of a file")


def _shut_by_kernel() -> bool:
    if sys.platform != "linux" or platform.machine() not in _MACHINES or sys.maxsize < 2**32:
        return False
    program = _program(*_MACHINES[platform.machine()])
    instructions = ctypes.create_string_buffer(program, len(program))
    filter_of = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(instructions))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    # Without it a filter takes rights; with it no program that is started could get any.
    if prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return bool(prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.c_char_p(filter_of), 0, 0) == 0)


def _program(machine: int, refused: tuple[int, ...]) -> bytes:
    """The filter as the kernel runs it: (code, steps if true, steps if false, operand) for each instruction."""
    # Where the machine and the number of the call stand in what a filter is given.
    number_at, machine_at = 0, 4
    count = len(refused)
    steps = [
        (_LOAD, 0, 0, machine_at),
        # Calls of another machine have other numbers: all of them are refused.
        (_IF_EQUAL, 0, count + 3, machine),
        (_LOAD, 0, 0, number_at),
        (_IF_AT_LEAST, count + 1, 0, _X32),
    ]
    steps += [(_IF_EQUAL, count - place, 0, number) for place, number in enumerate(refused)]
    steps += [(_ANSWER, 0, 0, _ALLOW), (_ANSWER, 0, 0, _REFUSE)]
    return b"".join(struct.pack("HBBI", *step) for step in steps)
