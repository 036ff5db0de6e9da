"""What the audit log's actions are called, and the groups one can filter by. Pure.

Whoever records a new action adds its words here; until then it is shown by its own name.
"""

from typing import NamedTuple


class Group(NamedTuple):
    """Actions that belong together. `prefixes` are the parts of their names before the dot."""

    name: str
    label: str
    prefixes: tuple[str, ...]


GROUPS = (
    Group("members", "Organisation and members", ("organization", "tenant", "member", "invitation", "announcement")),
    Group("accounts", "Sign-in and accounts", ("account",)),
    Group("access", "Refused attempts", ("access",)),
    Group("tokens", "API tokens", ("api_token",)),
    Group(
        "keys",
        "AI keys and models",
        ("ai_config", "credential", "connection", "key", "encryption", "fallback", "price"),
    ),
    Group("spending", "Budgets and alerts", ("budget", "alert")),
    Group(
        "leads",
        "Leads, emails and knowledge",
        ("lead", "import", "run", "email", "document", "prompt", "voice", "knowledge", "webhook"),
    ),
    Group("support", "Support staff", ("support",)),
    Group("exports", "Downloads", ("audit", "usage", "export")),
)

LABELS = {
    "access.refused": "Was refused: the role or scope does not reach",
    "account.email_changed": "Changed the address of their account",
    "account.mfa_disabled": "Switched two-factor sign-in off",
    "account.mfa_enabled": "Switched two-factor sign-in on",
    "account.password_changed": "Changed their password",
    "account.password_reset": "Reset their password by email",
    "account.recovery_codes_made": "Made new recovery codes",
    "account.signed_in": "Signed in",
    "account.signed_out": "Signed out",
    "ai_config.backfilled": "AI configuration was set up for an existing organisation",
    "ai_config.imported": "AI configuration was brought over",
    "ai_config.saved": "Saved the AI configuration",
    "alert.saved": "Saved the alerts",
    "alert.secret_renewed": "Made a new secret for the alert webhook",
    "announcement.sent": "Admins were told about own AI keys",
    "api_token.created": "Created an API token",
    "api_token.revoked": "Revoked an API token",
    "api_token.used": "API token was used for the first time that day",
    "audit.exported": "Downloaded the audit log",
    "budget.rate_saved": "Saved the limit of AI calls per minute",
    "budget.saved": "Saved the AI budgets",
    "connection.test_failed": "Connection test failed",
    "connection.tested": "Tested the connection",
    "credential.rechecked": "State of a provider key changed",
    "credential.rejected": "Provider refused the key",
    "credential.removed": "Removed a provider key",
    "credential.replaced": "Replaced a provider key",
    "credential.replacement_undone": "Put the earlier provider key back",
    "credential.saved": "Saved a provider key",
    "credential.unreadable": "Provider key could not be opened",
    "document.added": "Added a document to the knowledge base",
    "document.deleted": "Deleted a document of the knowledge base",
    "document.prepared_again": "Had a document of the knowledge base prepared again",
    "document.renamed": "Renamed a document of the knowledge base",
    "document.replaced": "Replaced the text of a document of the knowledge base",
    "document.uploaded": "Uploaded files for the knowledge base",
    "email.approved": "Approved an email",
    "email.discarded": "Discarded an email",
    "email.edited": "Edited an email",
    "email.returned": "An email was returned by the recipient's mail server",
    "email.rewrite_asked": "Had an email rewritten",
    "email.schedule_cancelled": "Took a scheduled email back",
    "email.scheduled": "Approved an email for a later time",
    "encryption.rotated": "Provider key was sealed with a new secret",
    "fallback.granted": "Let the platform's AI stand in for a failing key",
    "fallback.used": "The platform's key was used in place of a failing one",
    "import.cancelled": "Cancelled an import of leads",
    "import.expired": "Removed a file of leads that was not used",
    "import.read": "Took the rows of a file in as leads",
    "import.started": "Started an import of leads",
    "invitation.accepted": "Accepted an invitation",
    "invitation.resent": "Sent an invitation again",
    "invitation.sent": "Invited someone",
    "invitation.withdrawn": "Withdrew an invitation",
    "key.used": "Provider key was used that day",
    "knowledge.reembedding_cancelled": "Cancelled the change of the embedding model",
    "knowledge.reembedding_resumed": "Let the change of the embedding model go on",
    "knowledge.reembedding_started": "Had all documents embedded with the chosen model",
    "lead.assigned": "Gave a lead to somebody",
    "lead.closed": "Closed a lead",
    "lead.created": "Added a lead",
    "lead.note_added": "Wrote a note about a lead",
    "lead.note_deleted": "Deleted a note about a lead",
    "lead.note_edited": "Changed a note about a lead",
    "lead.reopened": "Opened a closed lead again",
    "member.left": "Left the organisation",
    "member.removed": "Removed a member",
    "member.role_changed": "Changed a member's role",
    "organization.created": "Created the organisation",
    "price.ended": "Ended a negotiated price",
    "price.negotiated": "Added a negotiated price",
    "price.withdrawn": "Took a negotiated price back before it began",
    "prompt.chosen": "Put another version of a prompt in force",
    "prompt.saved": "Saved a new version of a prompt",
    "run.cancelled": "Cancelled a lead's run",
    "run.compared": "Started a comparison of models for a lead",
    "run.comparison_used": "Put a comparison's draft in the place of the open one",
    "run.resumed": "Let a lead's run go on",
    "run.started": "Started a run for a lead",
    "support.event_retried": "Support had a usage event stored again",
    "support.recheck_asked": "Support asked for a check of a provider key",
    "support.user_changed": "Support changed an account's switches",
    "support.viewed": "Support looked at a record",
    "tenant.imported": "Organisation was brought over",
    "usage.export_requested": "Asked for a download of usage",
    "usage.exported": "Downloaded usage",
    "usage.month_dropped": "Single calls of a month were deleted, their time being over",
    "usage.repaired": "Costs of lost answers were asked from the provider",
    "voice.saved": "Saved the voice of the emails",
    "webhook.added": "Added a webhook for leads",
    "webhook.changed": "Changed a webhook for leads",
    "webhook.deleted": "Deleted a webhook for leads",
    "webhook.secret_renewed": "Made a new secret for a webhook for leads",
}


def label_of(action: str) -> str:
    """The action in words: from the table, or made from its name ("key.moved_away" gives "Key: moved away")."""
    if action in LABELS:
        return LABELS[action]
    what, _, happened = action.partition(".")
    words = [part.replace("_", " ").strip() for part in (what, happened) if part]
    return ": ".join(words)[:1].upper() + ": ".join(words)[1:] if words else "Unnamed act"


def group_named(name: str) -> Group | None:
    return next((group for group in GROUPS if group.name == name), None)


def actions_of(group: Group) -> list[str]:
    """The known actions of a group, by their words."""
    return sorted((name for name in LABELS if name.partition(".")[0] in group.prefixes), key=label_of)
