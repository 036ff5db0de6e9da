"""New people in the running product: the links that are mailed to them, and their way in."""

import email
import email.policy
import re
from itertools import count

from tests.browser.conftest import Window
from tests.serving import Served, until

PASSWORD = "plenty of tailspin toys"
_numbers = count(1)


def mailed_link(served: Served, address: str, part: str = "confirm-email") -> str:
    """The newest link with `part` in it, in the mails to that address; waits for the mail."""
    found: list[str] = []

    def look() -> bool:
        for path in sorted((served.state / "mail").iterdir(), key=lambda path: path.stat().st_mtime):
            mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            body = mail.get_body(("plain",))
            if address in str(mail["To"]) and body is not None:
                found.extend(re.findall(rf"http\S+{part}\S+", body.get_content()))
        return bool(found)

    until(look, f"the mail to {address} is there")
    return found[-1]


def make_account(window: Window, address: str) -> None:
    """Fill in the sign-up form that is open, and confirm the address; ends where the product leads."""
    page = window.page
    page.get_by_label("Email").fill(address)
    page.locator("#id_password1").fill(PASSWORD)
    page.locator("#id_password2").fill(PASSWORD)
    page.locator("main form button[type=submit]").click()
    page.goto(mailed_link(window.served, address))
    page.locator("main form button[type=submit]").first.click()


def sign_up(window: Window) -> str:
    """A new person with a new organisation, before the question whose AI; the organisation's slug."""
    number = next(_numbers)
    page = window.open("/accounts/signup/")
    make_account(window, f"founder{number}@tailspin.test")
    page.wait_for_url("**/onboarding/")
    page.get_by_label("Name").fill(f"Tailspin {number}")
    page.get_by_role("button", name="Create and continue").click()
    page.wait_for_url("**/onboarding/ai/")
    return page.url.split("/o/")[1].split("/")[0]
