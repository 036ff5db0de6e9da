"""An email in the organisation's voice, rewritten by one call, sent at its time: on the real processes."""

from datetime import UTC, datetime, timedelta

from tests.flows.test_workflow import LEAD, WIRES, configure
from tests.serving import Served, Visitor, until

VOICE = "/o/acme/settings/emails/"
PROMPT = "/o/acme/settings/prompts/email_generation/"


def test_voice_prompt_rewrite_and_schedule(served: Served, admin: Visitor) -> None:
    configure(admin, WIRES[0], WIRES[0].key)
    saved = admin.submit(VOICE, sender_name="Acme Sales", signature="Jo Bloggs\nAcme Sales", tone="plain", language="")
    assert "The voice is saved" in saved.text
    text = "Write an email in the name of {organization}. {purpose} {signing}"
    assert "is saved and in force" in admin.submit(PROMPT, text=text, note="Short", seen="0").text

    lead = admin.hand_in_lead(**LEAD)
    run = admin.wait_for_run(lead["id"], "awaiting_review", "failed", "paused")
    assert run["status"] == "awaiting_review", run
    prompts = served.query("SELECT name, prompt_version FROM leads_step WHERE run_id = %s", run["id"])
    assert dict(prompts)["email_generation"] == "own v1"
    assert dict(prompts)["research"].startswith("default v")
    [(draft, body)] = served.query("SELECT id, body FROM leads_emaildraft WHERE run_id = %s", run["id"])
    assert body.endswith("\n\nJo Bloggs\nAcme Sales")

    calls = len(served.usage_rows(run["id"]))
    drafts = f"/o/acme/drafts/{draft}"
    form = {"subject": "Mine", "body": "Mine, edited.", "version": "1"}
    admin.post(f"{drafts}/rewrite/", **form, instruction="mention gears")
    texts = "SELECT kind, body FROM leads_draftrevision WHERE draft_id = %s ORDER BY number"
    until(lambda: len(served.query(texts, draft)) == 3, "the draft is rewritten")

    written, edited, rewritten = served.query(texts, draft)
    assert (written[0], edited, rewritten[0]) == ("written", ("edited", "Mine, edited."), "regenerated")
    assert "asked for: mention gears" in rewritten[1]
    until(lambda: len(served.usage_rows(run["id"])) == calls + 1, "the call is counted")
    assert len(served.arrived(run["id"])) == calls + 1
    row = served.usage_rows(run["id"])[-1]
    assert (row["operation"], str(row["lead_id"]), row["success"]) == ("email_generation", lead["id"], True)

    at = datetime.now(UTC) + timedelta(hours=2)
    form = {"subject": "Mine", "body": rewritten[1], "version": "3"}
    page = admin.post(f"{drafts}/schedule/", **form, send_at=f"{at:%Y-%m-%dT%H:%M}").text
    assert f"{at:%Y-%m-%d %H:%M} UTC" in page
    served.query("UPDATE leads_emaildraft SET scheduled_for = now() WHERE id = %s RETURNING id", draft)
    state = "SELECT status, send_attempts FROM leads_emaildraft WHERE id = %s"
    until(lambda: served.query(state, draft) == [("sent", 1)], "beat has sent the email")
    assert admin.lead(lead["id"])["run"]["status"] == "done"
    mails = [text for path, text in served.texts_on_disk().items() if path.startswith("mail") and str(draft) in text]
    assert len(mails) == 1
    assert 'format="flowed"' in mails[0]
    assert "From: Acme Sales <" in mails[0]
    assert mails[0].count(f"Message-ID: <{draft}@") == 1
