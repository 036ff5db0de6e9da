"""Which pages the tour shows, in what words."""

from collections.abc import Callable
from dataclasses import dataclass, field

from playwright.sync_api import Page

from tests.tour import walks


@dataclass(frozen=True)
class Stop:
    """One page. It is found by its address, or by `walk` from there on: what no address alone leads to."""

    name: str
    title: str
    words: str
    route: str
    kwargs: dict[str, str] = field(default_factory=dict)
    query: str = ""
    walk: Callable[[Page], None] | None = None
    login: str = "admin@demo.test"
    # Where the walk ends.
    shows: str = ""

    def image(self, screen: str, theme: str) -> str:
        return f"{self.name}-{screen}-{theme}.webp"


# The way through the product: each in every screen and theme.
TOUR = (
    Stop("landing", "The front page", "What the product does, and that one may start without a key.", "home", login=""),
    Stop("leads", "Leads", "What came in, where each lead stands and who looks after it; search and filters stand in the address.", "leads:list"),
    Stop("lead", "A lead", "Research, verdict and draft of one lead, with what each step cost. Nothing is sent before a person approves it.", "leads:list", walk=walks.to("Priya"), shows="leads:detail"),
    Stop("usage", "Usage", "Requests, tokens and costs of a period, by day, operation and model; unknown costs are shown as unknown.", "usage:dashboard", query="?period=90-days"),
    Stop("calls", "Single calls", "Each exchange with a provider: model, whose key, tokens, cost, and why it failed if it did. As CSV too.", "usage:calls"),
    Stop("models", "Models", "The catalog: search, filters, prices and context windows; two to four models can be compared.", "byok:catalog"),
    Stop("ai-settings", "AI settings", "Provider, key, models for each operation. A key is tested before it is kept, and never shown again.", "byok:settings"),
    Stop("knowledge", "Knowledge", "Documents that research and drafts may draw on, and what a search finds in them.", "leads:knowledge", walk=walks.ask_the_knowledge_base, shows="leads:knowledge_search"),
    Stop("members", "Members", "Who belongs to the organisation, what each may do, and who was invited.", "tenants:members"),
    Stop("onboarding", "Getting started", "One question at a time: the platform's AI with its free requests, or a key of one's own.", "byok:onboarding_ai"),
    Stop("api", "The JSON API", "Every call with its fields, its refusals and a line of curl.", "api:openapi-view", login=""),
    Stop("support", "Support", "What support staff see of an organisation in Django admin: every state, never a key.", "admin:tenants_organization_changelist", walk=walks.to("Acme"), shows="admin:tenants_organization_change", login="support@demo.test"),
)  # fmt: skip

# Every other page: wide in light, and on a phone in the dark.
FURTHER = (
    Stop("lead-new", "Add a lead", "What somebody told on the phone becomes a lead, too.", "leads:new"),
    Stop("import", "Import leads", "A file of leads, up to its size and its rows.", "leads:import_new"),
    Stop("imported", "What became of a file", "How many leads came of it, and which rows did not become one, with the reason at the field.", "leads:import_new", walk=walks.import_a_file, shows="leads:import"),
    Stop("compare-models", "Try another model", "The same lead once more on another model, at the organisation's own cost.", "leads:list", walk=walks.choose_models, shows="leads:compare_new"),
    Stop("comparison", "Two models side by side", "Verdict, email and cost of both, word by word; either draft can be used.", "leads:list", walk=walks.compare_models, shows="leads:compare"),
    Stop("draft-history", "All texts of an email", "What the AI wrote, what a person changed, and the way back to each.", "leads:list", walk=walks.edit_a_draft, shows="leads:draft_history"),
    Stop("public-form", "The public form", "Where leads come in from a website.", "leads:intake", login=""),
    Stop("public-form-thanks", "After the public form", "What whoever wrote is told.", "leads:intake_thanks", login=""),
    Stop("document", "A document of the knowledge base", "Its text, its passages, and whether they are searchable yet.", "leads:knowledge", walk=walks.open_a_document, shows="leads:knowledge_document"),
    Stop("model", "One model", "Prices with their source, context, what it can take, and how often it was used here.", "byok:catalog_model", kwargs={"provider": "openrouter", "model_id": "anthropic/claude-sonnet-5.5"}),
    Stop("models-compared", "Models compared", "Two to four of them, and what last month would have cost with each.", "byok:catalog_compare", query="?m=openrouter:anthropic/claude-sonnet-5.5&m=openrouter:anthropic/claude-haiku-5.5"),
    Stop("prices", "Negotiated prices", "Prices of a contract of one's own take the place of the list's, from their day on.", "byok:prices"),
    Stop("exports", "Downloads", "Large files are made in the background and stay for a while.", "usage:exports"),
    Stop("alerts", "Alerts and budgets", "At which sums an email or a webhook tells, where calls stop, and how many are allowed in a minute.", "usage:alerts"),
    Stop("emails", "Emails and prompts", "Name, signature, language and tone of what is sent.", "leads:voice"),
    Stop("prompt", "A prompt", "The text that steers an operation: the default, an own one, and all versions of it.", "leads:prompt", kwargs={"operation": "email_generation"}),
    Stop("tokens", "API tokens", "What programs sign in with. A token is shown once.", "tenants:tokens"),
    Stop("webhooks", "Webhooks", "Where outcomes are told to, signed.", "leads:webhooks"),
    Stop("webhook", "One webhook", "Its address, its secret, and how its last deliveries went.", "leads:webhooks", walk=walks.add_a_webhook, shows="leads:webhook"),
    Stop("audit", "Audit log", "Who changed what, and when; as a file, too.", "tenants:audit"),
    Stop("onboarding-key", "Getting started with a key", "Where to make one, and the test before it is kept.", "byok:onboarding_key", kwargs={"provider": "openrouter"}),
    Stop("organisations", "Organisations", "All that somebody belongs to, and what they are invited to.", "tenants:organizations"),
    Stop("organisation-new", "A new organisation", "A name is enough.", "tenants:create"),
    Stop("leave", "Leave an organisation", "What that means is said first.", "tenants:leave"),
    Stop("sign-in", "Sign in", "With an address and a password; a second factor is asked for after it.", "account_login", login=""),
    Stop("sign-up", "Sign up", "The address is confirmed by an email.", "account_signup", login=""),
    Stop("password-reset", "A forgotten password", "A link by email.", "account_reset_password", login=""),
    Stop("addresses", "Email addresses", "Which of them gets the mail.", "account_email"),
    Stop("password", "Change the password", "The present one is asked for.", "account_change_password"),
    Stop("two-factor", "Two factors", "An app's codes and codes for recovery.", "mfa_index"),
    Stop("admin", "Django admin", "What support staff begin with.", "admin:index", login="support@demo.test"),
    Stop("adoption", "Adoption", "How many organisations use a key of their own, since when, and what stops the others.", "adoption:page", login="support@demo.test"),
)  # fmt: skip
