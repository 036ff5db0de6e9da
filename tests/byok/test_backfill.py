"""An explicit platform default for everybody who has none, and nothing changes for them."""

from io import StringIO

import pytest
from django.core.management import call_command

from byok.config.ai_config import get_ai_config
from byok.config.backfill import backfill_ai_config, count_without_config
from byok.config.saving import save_ai_config
from byok.models import PLATFORM_DEFAULT, AIConfig
from leadagent.tenants.models import AuditEvent, Organization
from tests.at_once import at_once
from tests.byok.keys import KEYS
from tests.factories import OrganizationFactory


def run(*options: str) -> str:
    out = StringIO()
    call_command("backfill_ai_config", *options, stdout=out, stderr=StringIO())
    return out.getvalue()


@pytest.mark.django_db
class TestBackfill:
    def test_who_has_none_gets_the_platforms_default_once(self, organization: Organization) -> None:
        others = OrganizationFactory.create_batch(7)
        save_ai_config(organization, provider="openai", chat_model="gpt-5", api_key=KEYS["openai"])
        assert run("--batch", "3") == "7 organisations got an explicit platform default.\n"
        assert run() == "0 organisations got an explicit platform default.\n"
        rows = AIConfig.objects.filter(organization__in=others)
        assert {(row.provider, row.embedding_provider, row.chat_model, row.version) for row in rows} == {
            (PLATFORM_DEFAULT, PLATFORM_DEFAULT, "", 0)
        }
        assert rows.count() == 7
        assert AIConfig.objects.get(organization=organization).provider == "openai"
        assert AuditEvent.objects.filter(action="ai_config.backfilled").count() == 7

    def test_the_effective_configuration_is_the_same_before_and_after(self, organization: Organization) -> None:
        before = get_ai_config(organization)
        run()
        assert get_ai_config(organization) == before

    def test_a_form_that_was_open_meanwhile_can_be_saved(self, organization: Organization) -> None:
        read = get_ai_config(organization).version
        run()
        saved = save_ai_config(
            organization, provider="openai", chat_model="gpt-5", api_key=KEYS["openai"], version=read
        )
        assert saved.version == 1

    def test_a_dry_run_only_counts(self, organization: Organization) -> None:
        assert run("--dry-run") == "1 organisations have no AI configuration. Dry run: nothing is written.\n"
        assert count_without_config() == 1


@pytest.mark.django_db(transaction=True)
def test_two_runs_and_a_person_who_saves_at_the_same_time() -> None:
    organizations = OrganizationFactory.create_batch(40)
    made: list[int] = []

    def backfill() -> None:
        made.append(backfill_ai_config(batch=5))

    def person() -> None:
        for organization in organizations[::-1]:
            save_ai_config(organization, provider="openai", chat_model="gpt-5", api_key=KEYS["openai"])

    assert at_once(backfill, backfill, person) == [None] * 3
    assert set(AIConfig.objects.values_list("provider", flat=True)) == {"openai"}
    assert AIConfig.objects.count() == 40
    assert sum(made) == AuditEvent.objects.filter(action="ai_config.backfilled").count()
