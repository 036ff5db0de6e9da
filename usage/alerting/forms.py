"""The form of alerts and budgets. Its field list is the allow-list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.conf import settings

from leadagent import egress
from leadagent.tenants.models import Organization
from usage.alerting.cost_alert import cost_alert_of
from usage.alerting.cost_alert_form import CostAlertForm, dollar_field, initial_cost_alert
from usage.alerting.settings import AlertChoice, alert_settings_of, secrets_of
from usage.models import AlertChannel
from usage.spending.chosen_budgets import BudgetChoice, budgets_of
from usage.spending.rate_limit import own_rate_of

# An empty one stands for all of them.
OPERATIONS = {
    "": "All operations",
    "qualification": "Qualification",
    "email_generation": "Email generation",
    "research": "Research",
    "embedding": "Embedding",
}
_SLACK_HOSTS = ("hooks.slack.com", "hooks.slack-gov.com")


class AlertsForm(CostAlertForm):
    """What is told, where to, and what may be spent."""

    alert_forecast = forms.BooleanField(
        label="Tell us when the month is on course to pass the sum",
        required=False,
        help_text="By the forecast of the usage page, which needs a week of history.",
    )
    alert_errors = forms.BooleanField(
        label="Tell us when many calls fail",
        required=False,
        help_text="At least 20 failures, and half of all calls, within an hour. Once a day at most.",
    )
    slack_url = forms.CharField(
        label="Slack webhook address",
        required=False,
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    slack_remove = forms.BooleanField(label="Send nothing to Slack any more", required=False)
    webhook_url = forms.CharField(
        label="Webhook address",
        required=False,
        max_length=500,
        help_text="https on the public internet. Each message is signed: the preview below says how.",
        widget=forms.URLInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    rate_requests = forms.IntegerField(label="AI calls per minute", required=False, min_value=1, max_value=1_000_000)
    rate_tokens = forms.IntegerField(label="Tokens per minute", required=False, min_value=1, max_value=2_000_000_000)

    def __init__(self, organization: Organization, data: Mapping[str, Any] | None = None) -> None:
        self.stored_slack = secrets_of(organization).get(AlertChannel.SLACK)
        super().__init__(data=data, initial=_initial(organization))
        for operation, label in OPERATIONS.items():
            name = operation or "all"
            self.fields[f"soft_{name}"] = dollar_field(f"{label}: soft budget in US dollars")
            self.fields[f"hard_{name}"] = dollar_field(f"{label}: hard budget in US dollars")
        self.fields["slack_url"].help_text = (
            f"Stored, ends in {self.stored_slack.last4}. Enter another one to replace it."
            if self.stored_slack
            else "From Slack's page “Incoming webhooks”. It is stored sealed and not shown again."
        )
        if self.stored_slack is None:
            del self.fields["slack_remove"]
        for name, limit in (
            ("rate_requests", settings.AI_RATE_LIMIT_REQUESTS),
            ("rate_tokens", settings.AI_RATE_LIMIT_TOKENS),
        ):
            self.fields[name].help_text = (
                f"At most {limit:,}, which is the limit where this is left empty."
                if limit
                else "Left empty, there is no limit."
            )

    @property
    def budget_rows(self) -> list[tuple[str, forms.BoundField, forms.BoundField]]:
        """(label, soft, hard) per operation."""
        return [
            (label, self[f"soft_{operation or 'all'}"], self[f"hard_{operation or 'all'}"])
            for operation, label in OPERATIONS.items()
        ]

    def clean_slack_url(self) -> str:
        url: str = self.cleaned_data["slack_url"].strip()
        if url:
            _check_address(url)
            if urlsplit(url).hostname not in _SLACK_HOSTS:
                raise forms.ValidationError("A Slack webhook's address begins with https://hooks.slack.com/.")
        return url

    def clean_webhook_url(self) -> str:
        url: str = self.cleaned_data["webhook_url"].strip()
        if url:
            _check_address(url)
        return url

    def clean_rate_requests(self) -> int | None:
        return self._below("rate_requests", settings.AI_RATE_LIMIT_REQUESTS)

    def clean_rate_tokens(self) -> int | None:
        return self._below("rate_tokens", settings.AI_RATE_LIMIT_TOKENS)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for operation in OPERATIONS:
            name = operation or "all"
            soft, hard = cleaned.get(f"soft_{name}"), cleaned.get(f"hard_{name}")
            if soft is not None and hard is not None and soft > hard:
                self.add_error(f"soft_{name}", "The soft budget lies above the hard one: it would never be told.")
        return cleaned

    def alert_choice(self) -> AlertChoice:
        """Of a valid form."""
        values = self.cleaned_data
        return AlertChoice(
            cost_alert=self.changed_cost_alert(),
            forecast=values["alert_forecast"],
            error_spike=values["alert_errors"],
            webhook_url=values["webhook_url"],
            slack_url=None if values.get("slack_remove") else values["slack_url"],
        )

    def budgets(self) -> dict[str, BudgetChoice]:
        """Of a valid form."""
        values = self.cleaned_data
        return {
            operation: BudgetChoice(values[f"soft_{operation or 'all'}"], values[f"hard_{operation or 'all'}"])
            for operation in OPERATIONS
        }

    def _below(self, name: str, limit: int) -> int | None:
        value: int | None = self.cleaned_data[name]
        if value is not None and limit and value > limit:
            raise forms.ValidationError(f"The operator allows {limit:,} per minute: enter that or less.")
        return value


def _check_address(url: str) -> None:
    try:
        egress.check_url(url)
    except egress.EgressRefused as refused:
        raise forms.ValidationError(str(refused)) from None


def _initial(organization: Organization) -> dict[str, Any]:
    extra, rate = alert_settings_of(organization), own_rate_of(organization)
    budgets = {
        f"{kind}_{operation or 'all'}": amount
        for operation, choice in budgets_of(organization).items()
        for kind, amount in (("soft", choice.soft), ("hard", choice.hard))
    }
    return (
        budgets
        | initial_cost_alert(cost_alert_of(organization))
        | {
            "alert_forecast": extra.forecast,
            "alert_errors": extra.error_spike,
            "webhook_url": extra.webhook_url,
            "rate_requests": rate.requests_per_minute,
            "rate_tokens": rate.tokens_per_minute,
        }
    )
