"""Leads from a file, and the same lead on two models, in Chromium and on the real processes."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Look, NewContext, Window
from tests.serving import Served

LEADS = "/o/acme/leads/"


@pytest.fixture(params=[(1440, "light"), (360, "dark")], ids=["wide-light", "phone-dark"])
def admin(request: pytest.FixtureRequest, served: Served, contexts: NewContext) -> Window:
    width, scheme = request.param
    window = contexts.window(served, width=width, scheme=scheme)
    window.sign_in("admin@demo.test")
    window.console.clear()
    return window


def test_leads_come_in_from_a_file_and_what_is_wrong_is_told(admin: Window, look: Look, tmp_path: Path) -> None:
    file = tmp_path / "a file with a rather long name, as people have them.csv"
    width = admin.page.viewport_size["width"] if admin.page.viewport_size else 0
    rows = [f"Ida {n};ida{n}@w{width}.example;Mill {n};We need a tool, number {n}" for n in range(3)]
    file.write_text(
        "\n".join(["Name;E-Mail;Firma;Message", *rows, "Broken;not-an-email;X;Hi", "No message;a@b.example;;"])
    )
    page = admin.open(f"{LEADS}import/")
    page.get_by_label("CSV file").set_input_files(file)
    look(page, "chosen")
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_label("Company")).to_have_value(re.compile(r"."))
    look(page, "columns")
    page.get_by_role("button", name="Import 5 rows").click()
    expect(page.get_by_text("Done", exact=True)).to_be_visible()
    expect(page.get_by_text("Enter a valid email address.")).to_be_visible()
    look(page, "imported")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    assert "not-an-email" in Path(download.value.path()).read_text()
    assert admin.console == []


def test_one_lead_on_two_models_side_by_side(admin: Window, look: Look) -> None:
    page = admin.open(f"{LEADS}?q=priya")
    page.locator(".row-link").first.click()
    page.get_by_role("link", name="Compare models").click()
    look(page, "models")
    page.get_by_label("One model for all steps").fill("anthropic/claude-haiku-5.5")
    page.get_by_role("button", name="Start the comparison").click()
    expect(page.get_by_text("Comparison done")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("heading", name="Email, word by word")).to_be_visible()
    look(page, "side-by-side")
    expect(page.get_by_role("button", name="Use this draft")).to_be_visible()
    assert admin.console == []
