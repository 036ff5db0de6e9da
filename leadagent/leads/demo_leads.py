"""Leads of the demo organisation: what was asked, found, judged and answered. Stored text, no model was asked."""

from dataclasses import dataclass

from leadagent.leads.models import Category, QuotedReason


@dataclass(frozen=True, slots=True)
class DemoLead:
    """One lead with its finished run. `days_ago` is when it came in; `outcome` what a person decided."""

    key: str
    days_ago: float
    name: str
    email: str
    company: str
    message: str
    outcome: str = "review"
    category: Category | None = None
    reason: str = ""
    confidence: float = 0.0
    reasons: tuple[QuotedReason, ...] = ()
    report: str = ""
    subject: str = ""
    body: str = ""


DEMO_LEADS = (
    DemoLead(
        key="demo-untouched",
        days_ago=0.02,
        name="Tomás Rivera",
        email="tomas@harborlight.example",
        company="Harborlight Studios",
        message="We are a studio of 35 people and answer every enquiry by hand today. Can your product draft the "
        "replies and leave the sending to us? We would want to start in January.",
        outcome="untouched",
    ),
    DemoLead(
        key="demo-review",
        days_ago=0.3,
        name="Priya Nair",
        email="priya.nair@northwind-freight.example",
        company="Northwind Freight",
        message="We get about 400 quote requests a week through our site and lose half of them because nobody "
        "answers within the hour. We have budget for this quarter. Could you show us how this would work with our own "
        "OpenAI account?",
        category=Category.QUALIFIED,
        reason="A clear need (400 requests a week, slow answers), budget this quarter, and they already have an "
        "account with an AI provider. The sender heads sales operations.",
        confidence=0.92,
        reasons=(
            QuotedReason(
                "The need is large and costs them money today.",
                "lose half of them because nobody answers within the hour",
                "message",
            ),
            QuotedReason("They can decide now.", "has budget for it this quarter", "report"),
            QuotedReason("They want to bring their own key.", "bring-your-own-key is what they ask for", "report"),
        ),
        report="## Summary\n\nNorthwind Freight wants to answer quote requests within the hour and has budget for it "
        "this quarter.\n\n## Company\n\nA freight forwarder with about 400 requests a week. No earlier "
        "lead of this company is in the CRM.\n\n## Need\n\n- Answers within an hour\n- Their own OpenAI "
        "account\n- A demonstration\n\n## Fit\n\nGood: bring-your-own-key is what they ask for.\n\n"
        "## Open questions\n\n1. Which system receives the requests today?\n2. Who approves an answer?",
        subject="Answering Northwind's quote requests within the hour",
        body="Dear Priya,\n\nthank you for writing. 400 requests a week with half of them unanswered in time is the "
        "very thing Lead Agent is made for: each request is researched and gets a draft within a minute, and one of "
        "your people approves it. It runs on your own OpenAI account, so you see and pay every call yourselves.\n\n"
        "Would a call of 30 minutes this week suit you? It would help to know which system receives the requests "
        "today, and who would approve the answers.\n\nKind regards\nAcme",
    ),
    DemoLead(
        key="demo-answered",
        days_ago=4,
        name="Jonas Weber",
        email="j.weber@talblick-hotels.example",
        company="Talblick Hotels",
        message="Saw you at the fair in Cologne. Send me some information, please.",
        outcome="sent",
        category=Category.FOLLOW_UP,
        reason="A real company and a real contact, but nothing about need, size or time.",
        confidence=0.71,
        reasons=(
            QuotedReason("They want to hear from us.", "Send me some information, please", "message"),
            QuotedReason("What decides it is not known yet.", "Need and size are unknown", "report"),
        ),
        report="## Summary\n\nTalblick Hotels asks for information after a fair. Need and size are unknown.\n\n"
        "## Company\n\nA hotel group. No earlier lead of this company is in the CRM.\n\n## Open questions\n\n"
        "- How many enquiries come in, and by which way?\n- Who answers them today?",
        subject="After the fair in Cologne",
        body="Dear Jonas,\n\nit was good to meet you in Cologne. So that we send you what is useful: how many "
        "enquiries reach your hotels in a week, and who answers them today?\n\nKind regards\nAcme",
    ),
    DemoLead(
        key="demo-support",
        days_ago=9,
        name="Mei Tanaka",
        email="mei.tanaka@kanso-tools.example",
        company="Kanso Tools",
        message="Since this morning the export of our leads stops at row 500. We are on the team plan.",
        outcome="sent",
        category=Category.SUPPORT,
        reason="An existing customer reports a fault in the export.",
        confidence=0.97,
        reasons=(
            QuotedReason("They pay us already.", "We are on the team plan", "message"),
            QuotedReason("Something is broken.", "an export stops at row 500", "report"),
        ),
        report="## Summary\n\nKanso Tools is a customer and reports that an export stops at row 500.\n\n## Need\n\n"
        "Help with a fault, not an offer.",
        subject="Your export that stops at row 500",
        body="Dear Mei,\n\nthank you for telling us. Support has your report. Could you send the time of the last "
        "export and the name of the list? Then we find it in our log at once.\n\nKind regards\nAcme",
    ),
    DemoLead(
        key="demo-unqualified",
        days_ago=17,
        name="Sam Porter",
        email="sam@linkboost.example",
        company="LinkBoost",
        message="We place your links on 5,000 sites for $99. Interested?",
        outcome="discarded",
        category=Category.UNQUALIFIED,
        reason="The sender sells a service to us and buys nothing.",
        confidence=0.98,
        reasons=(QuotedReason("They sell, and buy nothing.", "We place your links on 5,000 sites", "message"),),
        report="## Summary\n\nAn unsolicited offer of link placement. No need of their own is named.",
        subject="Your offer",
        body="Dear Sam,\n\nthank you for your offer. We do not need it.\n\nKind regards\nAcme",
    ),
)
