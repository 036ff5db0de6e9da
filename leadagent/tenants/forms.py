"""Forms of the account and organisation pages. Their field lists are the allow-lists."""

from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError

from leadagent.tenants.misplaced_keys import RefusesMisplacedKeys
from leadagent.tenants.models import Role, Scope
from leadagent.tenants.names import SLUG_LENGTH, slug_from_name, validate_name, validate_slug

ROLE_HINTS = {
    Role.VIEWER: "sees usage, models and leads",
    Role.MEMBER: "also hands in leads, runs the workflow and approves emails",
    Role.ADMIN: "also changes keys, models, budgets and members",
}
ROLE_CHOICES = [(role.value, f"{role.label}: {hint}") for role, hint in ROLE_HINTS.items()]


class OrganizationForm(forms.Form):
    name = forms.CharField(
        label="Name",
        max_length=80,
        validators=[validate_name],
        error_messages={"required": "Enter the organisation's name."},
        widget=forms.TextInput(attrs={"autocomplete": "organization", "autofocus": True}),
    )
    slug = forms.CharField(
        label="Address",
        max_length=SLUG_LENGTH,
        required=False,
        help_text="The part of the web address that is yours. Left empty, we make it from the name.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = cast("dict[str, Any]", super().clean())
        if "name" not in cleaned or "slug" not in cleaned:
            return cleaned
        cleaned["slug"] = cleaned["slug"].lower() or slug_from_name(cleaned["name"])
        try:
            validate_slug(cleaned["slug"])
        except ValidationError as error:
            if error.code == "shape" and not self.data.get("slug"):
                error = ValidationError("We could not make an address from this name: type one.")
            self.add_error("slug", error)
        return cleaned

    def offer(self, message: str, suggestions: list[str]) -> None:
        """Say that the address is taken and fill in the first free one."""
        first, *rest = suggestions
        also = f" Also free: {', '.join(rest)}." if rest else ""
        self.add_error("slug", f"{message} {first} is free and filled in here.{also}")
        self.data = {"name": self.cleaned_data["name"], "slug": first}


class InviteForm(forms.Form):
    email = forms.EmailField(
        label="Email address",
        max_length=254,
        error_messages={"required": "Enter the address to invite."},
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    role = forms.ChoiceField(label="Role", choices=ROLE_CHOICES, initial=Role.MEMBER.value, widget=forms.RadioSelect)

    @property
    def invited_role(self) -> Role:
        return Role(self.cleaned_data["role"])


class RoleForm(forms.Form):
    """The role of one member: a list of the same names stands in every row of the page."""

    role = forms.ChoiceField(label="Role", choices=Role.choices)


class TokenForm(RefusesMisplacedKeys):
    name = forms.CharField(
        label="Name",
        max_length=80,
        validators=[validate_name],
        error_messages={"required": "Enter a name, so that you know the token again."},
        help_text="What will use it, for example “Website form”.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(
        label="May",
        choices=Scope.choices,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one thing this token may do."},
    )
