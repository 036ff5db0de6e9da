"""The adoption page's figures in words: what each is called, how it is computed, and its values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from byok.adoption import sums
from byok.adoption.figures import Chart, Figure, Line, Section, Unit, Value, share_line
from byok.adoption.gathering import Adoption
from byok.adoption.measured import Measured, Speed
from byok.adoption.saved_configurations import WINDOW
from byok.models import CredentialStatus, provider_choices

_STATUSES: Mapping[str, str] = {str(value): str(label) for value, label in CredentialStatus.choices}


def sections(found: Adoption, measured: Measured) -> list[Section]:
    """The page from top to bottom."""
    return [
        _organizations(found),
        _requests(found),
        _models(found),
        _costs(found),
        _free_tier(found),
        _keys(found),
        _accuracy(found),
        _measured(measured),
    ]


def _organizations(found: Adoption) -> Section:
    now, first = found.organizations, found.first_configuration
    whole = now.on_byok
    return Section(
        "Organisations",
        [
            Figure("On BYOK now", Value(sums.share(now.on_byok, now.total), Unit.SHARE),
                   f"Organisations whose saved configuration names an own provider ({now.on_byok:,}), "
                   f"of all organisations ({now.total:,})."),
            Figure("By way of OpenRouter", Value(sums.share(whole - now.direct, whole), Unit.SHARE),
                   "Of the organisations on BYOK, those that chose OpenRouter."),
            Figure("With a vendor directly", Value(sums.share(now.direct, whole), Unit.SHARE),
                   "Of the organisations on BYOK, those that chose OpenAI or Anthropic itself."),
            Figure("Time to first configuration, median", Value(first.median_days, Unit.DAYS),
                   f"From an organisation's creation to its first saved own provider, for the {first.organizations:,} "
                   "that did so in this period; organisations brought over with one are left out."),
            Figure("Time to first configuration, 90th percentile", Value(first.p90_days, Unit.DAYS),
                   "The same organisations: nine of ten were as quick as this."),
        ],
        [
            Chart(
                "On BYOK by month",
                "From the audit log: organisations whose last configuration saved by the month's end (or today) names "
                "an own provider, of those created by then.",
                ["Month", "On BYOK", "Organisations", "Share"],
                [
                    share_line(f"{month.month:%Y-%m}", month.on_byok, month.organizations)
                    for month in found.trend
                ],
            ),
            Chart(
                "By provider",
                "Organisations on BYOK now, by the provider of their chat models.",
                ["Provider", "Organisations", "On BYOK", "Share"],
                [share_line(_provider(name), count, whole) for name, count in now.by_provider.items()],
            ),
        ],
    )  # fmt: skip


def _requests(found: Adoption) -> Section:
    calls, around = sums.own_and_platform(found.rollup), found.before_after
    tokens = sums.tokens_by_month(found.rollup)
    most = max((month.total for month in tokens.values()), default=0)
    who = (
        f"Mean over {around.organizations:,} organisations that were there for all the {WINDOW} days before their "
        f"first own configuration, and whose {WINDOW} days after it ended in this period"
    )
    return Section(
        "Requests and tokens",
        [
            Figure("Requests on own keys", Value(calls.own_share, Unit.SHARE),
                   f"Calls in this period paid with an organisation's own key ({calls.own:,}), of all calls "
                   f"({calls.own + calls.platform:,})."),
            Figure(f"Requests per organisation, {WINDOW} days before BYOK", Value(around.before, Unit.MEAN),
                   f"{who}: calls before."),
            Figure(f"Requests per organisation, {WINDOW} days after BYOK", Value(around.after, Unit.MEAN),
                   "The same organisations: calls from that day on."),
        ],
        [
            Chart(
                "Own keys and the platform's, by month",
                "Calls of this period by month and whose key paid them; the first and the last month may be partial.",
                ["Month", "Own keys", "Platform's key", "Share on own keys"],
                [
                    Line(
                        f"{month:%Y-%m}",
                        [Value(part.own), Value(part.platform), Value(part.own_share, Unit.SHARE)],
                        part.own_share,
                    )
                    for month, part in sums.own_and_platform_by_month(found.rollup).items()
                ],
            ),
            Chart(
                "Tokens by month",
                "Tokens of all calls in this period: input with cached input, output with reasoning.",
                ["Month", "Input", "Output", "All"],
                [
                    Line(
                        f"{month:%Y-%m}",
                        [Value(part.input), Value(part.output), Value(part.total)],
                        sums.share(part.total, most),
                    )
                    for month, part in tokens.items()
                ],
            ),
        ],
    )  # fmt: skip


def _models(found: Adoption) -> Section:
    diversity = found.diversity
    return Section(
        "Models",
        [
            Figure("Different models in use", Value(diversity.models or None),
                   "Model names with at least one successful call in this period; one model by two ways counts twice "
                   "where its names differ."),
            Figure("Models per organisation, median", Value(diversity.median_per_organization, Unit.MEAN),
                   f"The same, counted within each of the {diversity.organizations:,} organisations that made a call."),
        ],
        [
            Chart(
                "By family",
                "Calls in this period by what the model's name says: Claude, GPT, Gemini, Llama and so on.",
                ["Family", "Calls", "Share"],
                [
                    Line(family, [Value(count), Value(part, Unit.SHARE)], part)
                    for family, count, part in sums.families(found.rollup)
                ],
            )
        ],
    )  # fmt: skip


def _costs(found: Adoption) -> Section:
    providers = sums.cost_by_provider(found.rollup)
    dearest = max((float(cost.per_request or 0) for cost in providers.values()), default=0.0)
    months = sums.cost_by_month_and_owner(found.rollup)
    highest = max((float(cost.known) for pair in months.values() for cost in pair), default=0.0)
    platform = sums.cost_of(group for group in found.rollup if not group.is_own)
    return Section(
        "Costs",
        [
            Figure("Cost carried by own keys", Value(sums.moved_off_the_platform(found.rollup), Unit.SHARE),
                   "Known cost of calls on own keys, of the known cost of all calls in this period: what the platform "
                   "would have paid and did not."),
            Figure("The platform's own AI cost", Value(platform.sum if platform.calls else None, Unit.USD),
                   f"Known cost of the calls on the platform's key in this period; it is known for {platform.priced:,} "
                   f"of {platform.calls:,} calls."),
        ],
        [
            Chart(
                "Cost per request by provider",
                "Known cost divided by the calls whose cost is known; failed calls that cost nothing count as known. "
                "The last column says for which share of calls that is.",
                ["Provider", "Calls", "Cost per request", "Cost known for"],
                [
                    Line(
                        _provider(name),
                        [Value(cost.calls), Value(cost.per_request, Unit.USD_EACH), Value(cost.coverage, Unit.SHARE)],
                        sums.share(float(cost.per_request), dearest) if cost.per_request is not None else None,
                    )
                    for name, cost in providers.items()
                ],
            ),
            Chart(
                "Cost by month",
                "Known cost of this period's calls; the bar is the platform's, which falls as organisations move.",
                ["Month", "Platform's key", "Own keys", "Platform's calls priced"],
                [
                    Line(
                        f"{month:%Y-%m}",
                        [Value(ours.sum, Unit.USD), Value(theirs.sum, Unit.USD), Value(ours.coverage, Unit.SHARE)],
                        sums.share(float(ours.known), highest),
                    )
                    for month, (ours, theirs) in months.items()
                ],
            ),
        ],
    )  # fmt: skip


def _free_tier(found: Adoption) -> Section:
    latest = found.free_tier[-1] if found.free_tier else None
    current = latest if latest and latest.month == _last_month(found) else None
    return Section(
        "Free tier",
        [
            Figure("Used up this month", Value(current.used_up if current else 0),
                   "Organisations that have taken all of this UTC month's free requests, by today's limit."),
        ],
        [
            Chart(
                "Free tier by month",
                "Organisations that took any free request in the month, and those that took all, by today's limit.",
                ["Month", "Used it up", "Used it", "Share"],
                [share_line(f"{month.month:%Y-%m}", month.used_up, month.used) for month in found.free_tier],
            )
        ],
    )  # fmt: skip


def _keys(found: Adoption) -> Section:
    failures = sums.own_key_failures(found.rollup)
    calls = sum(part.calls for part in failures.values())
    failed = sum(part.failed for part in failures.values())
    keys = sum(state.keys for state in found.key_states)
    return Section(
        "Own keys",
        [
            Figure("Error rate of own keys", Value(sums.share(failed, calls), Unit.SHARE),
                   f"Failed calls on own keys ({failed:,}) of all calls on own keys ({calls:,}) in this period."),
            Figure("Chosen, but no key stored", Value(found.organizations.without_key),
                   "Organisations whose configuration names an own provider that no key is stored for, now."),
        ],
        [
            Chart(
                "Error rate by provider",
                "Failed calls of all calls on own keys in this period.",
                ["Provider", "Failed", "Calls", "Error rate"],
                [share_line(_provider(name), part.failed, part.calls) for name, part in failures.items()],
            ),
            Chart(
                "Errors by code",
                "Failed calls on own keys in this period, by the error's code; the share is of all calls on own keys.",
                ["Code", "Calls", "Share of calls"],
                [
                    Line(
                        f"{error.code or 'no code'} ({_provider(error.provider)})",
                        [Value(error.calls), Value(sums.share(error.calls, calls), Unit.SHARE)],
                        sums.share(error.calls, failed),
                    )
                    for error in found.own_key_errors
                ],
            ),
            Chart(
                "Key states now",
                "Stored keys by provider and by what the last check or call said of them.",
                ["State", "Keys", "Of", "Share"],
                [
                    share_line(
                        f"{_STATUSES.get(state.status, state.status)} ({_provider(state.provider)})",
                        state.keys,
                        keys,
                    )
                    for state in found.key_states
                ],
            ),
        ],
    )  # fmt: skip


def _accuracy(found: Adoption) -> Section:
    calls, accuracy = sum(group.calls for group in found.rollup), found.accuracy
    lost = sums.share(accuracy.unreconciled, calls)
    return Section(
        "Usage tracking",
        [
            Figure("Accuracy", Value(None if lost is None else 1 - lost, Unit.SHARE),
                   f"Calls of this period whose end was recorded, of all calls; {accuracy.unreconciled:,} of {calls:,} "
                   "are not confirmed."),
            Figure("Events put aside", Value(accuracy.put_aside),
                   "Usage events in the inbox now that could not be stored, with the reason kept."),
            Figure("Events waiting", Value(accuracy.waiting),
                   "Usage events in the inbox now: calls under way and ends that the worker has yet to take."),
        ],
    )  # fmt: skip


def _measured(measured: Measured) -> Section:
    def pair(label: str, speed: Speed, unit: Unit, what: str) -> list[Figure]:
        factor = 1000 if unit is Unit.MICROSECONDS else 1
        how = f"Measured now, on this process, over {speed.runs} {what}."
        return [
            Figure(f"{label}, {name}", Value(None if ms is None else ms * factor, unit), how)
            for name, ms in (("p50", speed.p50_ms), ("p95", speed.p95_ms))
        ]

    return Section(
        "Speed, measured now on this process",
        [
            *pair("Model resolution", measured.resolve, Unit.MILLISECONDS,
                  "resolves of up to five organisations' chat models, the database included"),
            *pair("Encrypting a key", measured.encrypt, Unit.MICROSECONDS, "runs with a made-up text"),
            *pair("Decrypting a key", measured.decrypt, Unit.MICROSECONDS,
                  "runs with a made-up text; no stored key is opened"),
            *pair("Usage dashboard's sums", measured.dashboard, Unit.MILLISECONDS,
                  "loads of this month's sums for the busiest organisation, without the page around them"),
        ],
    )  # fmt: skip


def _provider(name: str) -> str:
    """Usage outlives providers, and names them as they were stored."""
    return dict(provider_choices()).get(name, name)


def _last_month(found: Adoption) -> date:
    return (found.period.end - timedelta(days=1)).replace(day=1)
