"""The browser of the tests: found, or brought by `python -m tests.chromium` (which `make test` calls).

Where the machine has none that starts, the npm package @sparticuz/chromium brings a headless
one with its libraries and a font, for any user; root falls back on Debian's package.
"""

import io
import os
import shutil
import sys
import tarfile
from collections.abc import Iterator

from tests import node
from tests.commands import REPOSITORY, succeeds

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_UNPACKED = REPOSITORY / ".local" / "browser"
_PACKAGE = REPOSITORY / "node_modules" / "@sparticuz" / "chromium" / "bin"

_LAUNCHER = """#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
export LD_LIBRARY_PATH="$here/lib" FONTCONFIG_FILE="$here/fonts.conf"
exec "$here/headless-shell" "$@"
"""
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir prefix="relative">fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
"""


def find() -> str | None:
    """The path of a Chromium: `CHROMIUM`, or the one that was brought here, or one on the PATH."""
    return next(_found(), None)


def _found() -> Iterator[str]:
    if given := os.environ.get("CHROMIUM"):
        yield given
        return
    if (brought := _UNPACKED / "chromium").exists():
        yield str(brought)
    yield from filter(None, map(shutil.which, NAMES))


def bring() -> None:
    """Make sure that `find()` names a Chromium that starts, or exit with a sentence."""
    _bring_playwrights_library()
    if given := os.environ.get("CHROMIUM"):
        if not _starts(given):
            sys.exit(f"CHROMIUM is {given!r}, which does not start: name one that does, or unset it.")
        return
    first = find()
    if first and _starts(first):
        return
    print("Getting a Chromium for the browser tests", flush=True)
    if _by_npm() or _by_apt():
        return
    sys.exit("No Chromium could be installed: install Debian's package chromium, or name one with CHROMIUM=/path.")


def _bring_playwrights_library() -> None:
    """Playwright's own Node needs a library that a minimal Debian lacks."""
    version = [node.node(), "--version"]
    if succeeds(version, quiet=True) or (_apt_install("libatomic1") and succeeds(version)):
        return
    sys.exit("Playwright does not start here: install Debian's package libatomic1.")


def _by_npm() -> bool:
    if not node.install():
        return False
    _unpack()
    if _starts(str(_UNPACKED / "chromium")):
        return True
    # So that it does not stand before the next one.
    shutil.rmtree(_UNPACKED)
    return False


def _unpack() -> None:
    import brotli

    shutil.rmtree(_UNPACKED, ignore_errors=True)
    unfinished = _UNPACKED.with_name("browser-unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for name in ("al2023", "fonts", "swiftshader"):
        with tarfile.open(fileobj=io.BytesIO(brotli.decompress((_PACKAGE / f"{name}.tar.br").read_bytes()))) as archive:
            # Debian 12's Python has no extraction filter yet. npm has checked the archive's fingerprint.
            archive.extractall(unfinished, [member for member in archive if member.isreg() or member.isdir()])
    (unfinished / "headless-shell").write_bytes(brotli.decompress((_PACKAGE / "chromium.br").read_bytes()))
    (unfinished / "fonts.conf").write_text(_FONTS)
    (unfinished / "chromium").write_text(_LAUNCHER)
    for program in ("headless-shell", "chromium"):
        (unfinished / program).chmod(0o755)
    unfinished.rename(_UNPACKED)


def _by_apt() -> bool:
    return _apt_install("chromium") and _starts(shutil.which("chromium") or "")


def _apt_install(package: str) -> bool:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    succeeds(["apt-get", "update", "--quiet"])
    return succeeds(["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", package])


def _starts(path: str) -> bool:
    from playwright.sync_api import Error, sync_playwright

    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"], timeout=60_000)
            page = browser.new_page()
            page.set_content("<p>It starts</p>")
            starts = page.inner_text("p") == "It starts"
            browser.close()
    except Error as error:
        print(f"{path} does not start: {error.message.splitlines()[0]}", file=sys.stderr)
        return False
    return starts


if __name__ == "__main__":
    bring()
