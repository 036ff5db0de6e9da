"""The product's addresses, and one page more: every component in every state."""

from datetime import timedelta
from pathlib import Path

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import engines
from django.urls import path
from django.utils import timezone

from leadagent.http import HtmxHttpRequest
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role
from leadagent.urls import urlpatterns as product

HERE = Path(__file__).parent


class SampleForm(forms.Form):
    """One field of each sort, so that each shows with and without errors."""

    company = forms.CharField(help_text="As it should appear in emails.")
    website = forms.URLField(required=False, assume_scheme="https")
    budget = forms.DecimalField(widget=forms.NumberInput(attrs={"class": "short"}))
    provider = forms.ChoiceField(choices=[("openrouter", "OpenRouter"), ("openai", "OpenAI")])
    notes = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), required=False)
    plan = forms.ChoiceField(
        widget=forms.RadioSelect,
        choices=[("platform", "50 free requests a month"), ("own", "Our own key")],
        help_text="You can change this at any time.",
    )
    alerts = forms.BooleanField(label="Send a cost alert", required=False, help_text="At 80 % and at 100 % of the sum.")
    api_key = forms.CharField(label="API key", widget=forms.PasswordInput(render_value=True), required=False)
    hidden = forms.CharField(widget=forms.HiddenInput, initial="x")


@organization_view(Role.VIEWER)
def components(request: HtmxHttpRequest) -> HttpResponse:
    """Every component; `?empty` shows the page of somebody who starts. What htmx asks for is answered in full, too."""
    if request.htmx:
        return _answer_htmx(request)
    now = timezone.now()
    context = {
        "form": SampleForm(request.POST) if request.method == "POST" else SampleForm(initial={"plan": "own"}),
        "now": now,
        "earlier": now - timedelta(minutes=12),
        "prefixes": [("sk-or-", "OpenRouter"), ("sk-ant-", "Anthropic"), ("sk-", "OpenAI")],
        "consequences": ["12 leads in progress stop.", "The key is deleted and cannot be shown again."],
        "steps": [
            {
                "label": "Research",
                "state": "done",
                "seconds": "4.2 s",
                "cost": "$0.0031",
                "detail": "Six steps, two pages of acme.test read.",
            },
            {"label": "Qualification", "state": "running", "seconds": "0.8 s"},
            {"label": "Email draft", "state": "waiting"},
        ],
        "failed_steps": [
            {"label": "Research", "state": "done", "seconds": "3.9 s", "cost": "$0.0029"},
            {
                "label": "Qualification",
                "state": "failed",
                "seconds": "0.3 s",
                "cost": "unknown",
                "detail": "OpenRouter refused this key (401). It may be revoked: enter a new one in Settings, then resume.",
            },
            {"label": "Email draft", "state": "stopped"},
            {"label": "Sending", "state": "skipped"},
        ],
        "rows": [
            ("Jo Bloggs", "Acme Robotics", "good", "Qualified", "$0.0312", 14_230),
            ("Wilhelmina van der Steenhoven-Achterberg", "Steenhoven Logistics", "warn", "Waiting for approval", "$0.0028", 9_120),
            ("Sam Lee", "Lee & Daughters", "idle", "Unqualified", "unknown", 512),
            ("Ada Obi", "Northwind", "bad", "Failed", "$1.20", 231_004),
        ],
    }  # fmt: skip
    if "toast" in request.GET:
        messages.success(request, "Saved. New runs use Claude Haiku 4.5.")
        messages.error(request, "The key was not saved: OpenRouter refused it (401).")
    page = "empty.html" if "empty" in request.GET else "components.html"
    template = engines["django"].from_string((HERE / page).read_text())
    return HttpResponse(template.render(context, request))


def _answer_htmx(request: HtmxHttpRequest) -> HttpResponse:
    """`?cursor`: two more rows; `?fault`: a 500; a POST: a toast for the page (and proof that CSRF was satisfied)."""
    if "fault" in request.GET:
        return HttpResponse(status=500)
    if "cursor" in request.GET:
        return HttpResponse('<tr><th scope="row">Kim Novak</th></tr><tr><th scope="row">Max Weber</th></tr>')
    messages.success(request, "Posted by htmx.")
    template = engines["django"].from_string('{% include "components/toasts_oob.html" %}')
    return HttpResponse(template.render({}, request))


def plain(request: HttpRequest) -> HttpResponse:
    """The plain layout as a wizard."""
    context = {
        "form": SampleForm(),
        "wizard": [
            {"label": "Organisation", "state": "done"},
            {"label": "AI", "state": "current"},
            {"label": "Test", "state": "todo"},
        ],
    }
    return HttpResponse(engines["django"].from_string((HERE / "plain.html").read_text()).render(context, request))


def broken(request: HttpRequest) -> HttpResponse:
    """A page with a fault, for the 500."""
    raise RuntimeError("a fault on purpose")


def error(request: HttpRequest, name: str) -> HttpResponse:
    """One of the error pages with its status, as `403_csrf`."""
    return render(request, f"{name}.html", status=int(name[:3]))


urlpatterns = [
    path("look-error/<str:name>/", error, name="look_error"),
    path("look/<slug:org>/", components, name="look"),
    path("look-plain/", plain, name="look_plain"),
    path("look-broken/", broken, name="look_broken"),
    *product,
]
