"""What becomes of an email that a model wrote, before anybody sees it."""

import pytest

from leadagent.leads.emails.rewriting import ask_for_rewrite, perform_rewrite
from leadagent.leads.emails.writing import Email
from leadagent.leads.models import EmailDraft
from leadagent.leads.running.steps import perform_step
from tests.factories import UserFactory
from tests.leads.conftest import FakeProvider
from tests.leads.factories import LeadFactory, claimed, run_for

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("You need 400 licences [3] from March [1, 2].", "You need 400 licences from March."),
        ("As you say [^4], in May[5](#source-5): yes.", "As you say, in May: yes."),
        ("Choose [a] or [b], or array[i].", "Choose [a] or [b], or array[i]."),
    ],
)
def test_a_written_email_never_cites_the_report(written: str, kept: str) -> None:
    email = Email.cleaned(f"Your licences [3] {written}", f"Dear Ann,\n\n{written}\n\nAcme [12]")

    assert email.subject == f"Your licences {kept}"
    assert email.body == f"Dear Ann,\n\n{kept}\n\nAcme"


def test_neither_a_draft_nor_its_rewrite_cites_the_report(provider: FakeProvider) -> None:
    provider.answers["email_generation"] = [{"subject": "Gears [1]", "body": "Dear Ann [1],\n\n400 licences [2; 3]."}]
    run = run_for(LeadFactory(), done=2)
    perform_step(claimed(run))
    draft = EmailDraft.objects.get(run=run)
    assert (draft.subject, draft.original_body) == ("Gears", "Dear Ann,\n\n400 licences.")

    rewrite = ask_for_rewrite(draft, "Shorter", subject="Gears", body="Mine", by=UserFactory(), version=1)
    perform_rewrite(rewrite.pk)
    draft.refresh_from_db()
    assert (draft.subject, draft.body) == ("Gears", "Dear Ann,\n\n400 licences.")
