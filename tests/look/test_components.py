"""Every component in every state, on every screen, in both themes."""

import pytest
from playwright.sync_api import expect

from tests.look.conftest import VARIANTS, Variant, Visit

pytestmark = pytest.mark.network_loopback


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_every_component(as_admin: Visit, variant: Variant) -> None:
    page = as_admin.open("/look/acme/?toast")
    expect(page).to_have_title("Components · Acme · Lead Agent")
    expect(page.get_by_role("status").filter(has_text="New runs use Claude Haiku 4.5.")).to_be_visible()
    as_admin.hold_to_the_rules(f"components-{variant}")


def test_a_form_with_errors(as_admin: Visit, variant: Variant) -> None:
    page = as_admin.open("/look/acme/")
    page.get_by_role("button", name="Save").click()
    summary = page.get_by_role("alert").filter(has_text="There is a problem")
    expect(summary).to_be_focused()
    as_admin.hold_to_the_rules(f"form-errors-{variant}")

    company = page.get_by_role("textbox", name="Company")
    expect(company).to_have_attribute("aria-invalid", "true")
    expect(company).to_have_accessible_description("As it should appear in emails. This field is required.")
    summary.get_by_role("link", name="Company: This field is required.").click()
    expect(company).to_be_focused()


def test_empty_and_error_states(as_admin: Visit, variant: Variant) -> None:
    page = as_admin.open("/look/acme/?empty")
    expect(page.get_by_role("link", name="Add a lead")).to_be_visible()
    as_admin.hold_to_the_rules(f"empty-{variant}")


def test_the_plain_layout(as_admin: Visit, variant: Variant) -> None:
    page = as_admin.open("/look-plain/")
    expect(page).to_have_title("Choose your AI · Lead Agent")
    expect(page.get_by_role("listitem").filter(has_text="AI").and_(page.locator("[aria-current=step]"))).to_be_visible()
    as_admin.hold_to_the_rules(f"plain-{variant}")


def test_what_floats(as_admin: Visit, variant: Variant) -> None:
    page = as_admin.open("/look/acme/")
    page.get_by_label("Account: admin@acme.test").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    as_admin.hold_to_the_rules(f"account-menu-{variant}")
    page.get_by_label("Organisation: Acme").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    expect(page.get_by_role("link", name="Globex")).to_be_visible()
    as_admin.hold_to_the_rules(f"switcher-{variant}")
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Globex")).to_be_hidden()
    expect(page.get_by_label("Organisation: Acme")).to_be_focused()
    page.locator("#open-dialog").click()
    expect(page.get_by_role("dialog", name="Revoke “Zapier”?")).to_be_visible()
    as_admin.hold_to_the_rules(f"dialog-{variant}")


def test_fingers_find_their_targets(as_admin: Visit, variant: Variant) -> None:
    """On touch screens every control is at least 40 px high; links in running text are exempt."""
    if not variant.is_phone:
        page = as_admin.open("/look/acme/")
        assert page.get_by_role("button", name="Save").bounding_box()["height"] == 36  # type: ignore[index]
        return
    page = as_admin.open("/look/acme/")
    small = page.evaluate(
        """() => [...document.querySelectorAll(
                "button, summary, select, textarea, input:not([type=hidden], [type=radio], [type=checkbox]), "
                + "a.button, .nav-item, .chips a, .subnav a, .back, .choice label, .choices label")]
            .filter((e) => e.checkVisibility({visibilityProperty: true}) && !e.closest("[popover], .menu-list"))
            .map((e) => [e.outerHTML.slice(0, 90), e.getBoundingClientRect().height])
            .filter(([, height]) => height < 40)"""
    )
    assert small == []
