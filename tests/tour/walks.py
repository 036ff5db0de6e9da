"""Ways to pages that no address alone leads to: each begins where its stop's address leads."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

_ROWS = """Name,Email,Company,Message
Ines Albrecht,ines@albrecht.example,Albrecht Paper,Could you send a quote for 30 seats?
Noor Haddad,noor@haddad.example,Haddad Freight,We compare three products until March.
Lucas Moreau,not-an-address,Moreau Mills,Please call me back.
"""
_DOCUMENT = """# Prices

The team plan is 29 dollars a seat and month, with a minimum of five seats. Above fifty seats a contract is made.

# Rollout

A rollout takes two weeks: a day of training for the admins, an import of what is there, and a call at the end.

# Security

Data stays in the European Union. Single sign-on and an audit log belong to every plan.
"""
# A comparison is as many calls as a lead is.
_SECONDS = 60_000


def to(name: str) -> Callable[[Page], None]:
    """Follow the first link in the page with this name."""

    def follow(page: Page) -> None:
        page.get_by_role("main").get_by_role("link", name=name).first.click()
        page.wait_for_load_state()

    return follow


def import_a_file(page: Page) -> None:
    """Hand in three rows, one of which is no lead."""
    file = {"name": "trade-fair.csv", "mimeType": "text/csv", "buffer": _ROWS.encode()}
    page.get_by_label("CSV file").set_input_files(file)  # type: ignore[arg-type]
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("button", name="Import 3 rows").click()
    expect(page.get_by_text("Done", exact=True)).to_be_visible(timeout=_SECONDS)


def choose_models(page: Page) -> None:
    """From the list to the choice of another model for one lead."""
    to("Priya")(page)
    to("Compare models")(page)


def compare_models(page: Page) -> None:
    """Run one lead on another model, to the end."""
    choose_models(page)
    page.get_by_label("One model for all steps").fill("anthropic/claude-haiku-5.5")
    page.get_by_role("button", name="Start the comparison").click()
    expect(page.get_by_text("Comparison done")).to_be_visible(timeout=_SECONDS)


def edit_a_draft(page: Page) -> None:
    """Change the AI's email, and look at what was changed."""
    to("Priya")(page)
    text = page.get_by_label("Email", exact=True)
    text.fill(
        text.input_value().replace("Best regards", "Kind regards") + "\n\nPS: We have a stand at the fair in March."
    )
    page.get_by_role("button", name="Save").first.click()
    to("what changed")(page)


def ask_the_knowledge_base(page: Page) -> None:
    """Write something down, where nothing is, and search in it."""
    _add_a_document(page)
    page.reload()
    question = page.locator("[name=query]")
    question.fill("What does a rollout for a larger team cost?")
    question.press("Enter")
    expect(page.get_by_role("heading", name="Nearest passages")).to_be_visible()


def open_a_document(page: Page) -> None:
    _add_a_document(page)
    page.locator(".row-link").first.click()
    page.wait_for_load_state()


def _add_a_document(page: Page) -> None:
    if page.locator(".row-link").count():
        return
    page.get_by_label("Title").fill("Prices and rollout")
    page.get_by_label("Text", exact=True).fill(_DOCUMENT)
    page.get_by_role("button", name="Add document").click()
    expect(page.get_by_text("Ready", exact=True)).to_be_visible(timeout=_SECONDS)


def add_a_webhook(page: Page) -> None:
    """Add one, and go to its page."""
    page.locator("[name=url]").fill("https://crm.example.com/hooks/lead-agent")
    for event in page.locator("[name=events]").all():
        event.check()
    page.get_by_role("button", name="Add webhook").click()
    to("crm.example.com")(page)
