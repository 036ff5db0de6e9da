"""A lead is found in whatever form a prompt gives it, and sorted by plain rules."""

import json

import pytest

from leadagent.sandbox.lead_facts import read_lead
from leadagent.sandbox.verdict import judge

FACTS = {
    "name": "Ann Smith",
    "email": "ann@acme.example",
    "company": "Acme Tools",
    "message": "We need pricing.\n\nOur team of 1,200 is growing.",
}
LINES = "Lead\n" + "\n".join(f"- **{label.title()}:** {value}" for label, value in FACTS.items())


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(FACTS),
        json.dumps(FACTS, indent=2),
        f"<lead_data>{json.dumps(FACTS)}</lead_data>",
        "<lead>" + "".join(f"<{name}>{value}</{name}>" for name, value in FACTS.items()) + "</lead>",
        LINES,
        (
            "Lead Name: Ann Smith\nLead-Email: ann@acme.example\nCompany:\nAcme Tools\n"
            f'Message:\n"""\n{FACTS["message"]}\n"""\nMore instructions follow here.'
        ),
        f"{LINES}\n## Task\nQualify this lead.",
    ],
)
def test_a_lead_is_read_from_any_form(text: str) -> None:
    lead = read_lead(text)
    assert (lead.name, lead.email, lead.company) == ("Ann Smith", "ann@acme.example", "Acme Tools")
    assert lead.message == FACTS["message"]
    assert (lead.domain, lead.team_size, lead.first_name) == ("acme.example", 1200, "Ann")
    assert lead.topic == "We need pricing"


def test_what_is_missing_is_guessed_from_the_address() -> None:
    lead = read_lead("A mail from jo.van-dyk@north-wind.example arrived: please call us.")
    assert (lead.name, lead.company, lead.domain) == ("Jo Van Dyk", "North Wind", "north-wind.example")
    private = read_lead('{"email": "jo@gmail.com", "company": "", "website": "https://www.wind.example/x"}')
    assert (private.company, private.domain, private.free_mail) == ("Wind", "wind.example", True)
    assert read_lead("").first_name == "there"


def test_earlier_conclusions_are_not_taken_for_the_lead() -> None:
    report = "<research_report># Report\n- Company: not given\n- Contact: Nobody\nA bug was found.</research_report>"
    lead = read_lead(f"{report}\n{json.dumps(FACTS | {'company': ''})}")
    assert (lead.name, lead.company) == ("Ann Smith", "Acme")
    assert judge(lead).category == "QUALIFIED"


@pytest.mark.parametrize(
    ("message", "email", "category"),
    [
        ("We want a demo for our team of 40.", "ann@acme.example", "QUALIFIED"),
        ("Please send a quote for 12 seats; can you help our sales team?", "ann@acme.example", "QUALIFIED"),
        ("Please send a quote for 12 seats.", "ann@gmail.com", "FOLLOW_UP"),
        ("I saw your talk and would like to know more.", "ann@acme.example", "FOLLOW_UP"),
        ("I saw your talk and would like to know more.", "ann@gmail.com", "UNQUALIFIED"),
        ("I cannot log in since yesterday, the password reset fails.", "ann@acme.example", "SUPPORT"),
        ("There is a wrong amount on our invoice.", "ann@gmail.com", "SUPPORT"),
        ("Need help, please.", "ann@acme.example", "SUPPORT"),
        ("I am a student and write my thesis about pricing.", "ann@uni.example", "UNQUALIFIED"),
        ("We offer SEO and backlinks at a great price.", "ann@seo.example", "UNQUALIFIED"),
        ("hi", "ann@acme.example", "UNQUALIFIED"),
    ],
)
def test_leads_are_sorted(message: str, email: str, category: str) -> None:
    verdict = judge(read_lead(json.dumps({"name": "Ann", "email": email, "message": message})))
    assert verdict.category == category
    assert "sandbox" in verdict.reason
    assert 0 < verdict.confidence < 1
