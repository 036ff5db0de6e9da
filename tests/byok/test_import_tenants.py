"""Tenants of the old system come over whole, once, and without their keys showing anywhere."""

import json
import logging
import signal
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from pytest_django import Settings

from byok.config.ai_config import get_ai_config
from byok.config.saving import save_ai_config
from byok.encryption import decrypt_api_key
from byok.keys.stored import remove_api_key
from byok.migrating.importing import State, TenantImport
from byok.models import PLATFORM_DEFAULT, AIConfig, ProviderCredential
from leadagent.tenants.models import AuditEvent, Invitation, Organization
from tests.byok.keys import KEYS
from tests.byok.old_system import NAME, OLD_SECRET, import_file, line, seal, tenant
from tests.byok.own_process import start, wait_until
from tests.factories import OrganizationFactory
from usage.alerting.cost_alert import CostAlertChoice, cost_alert_of

pytestmark = pytest.mark.usefixtures("old_secret")


def rows() -> dict[str, Any]:
    """Everything an import may write, to compare before and after."""
    return {
        "organizations": list(Organization.objects.order_by("pk").values()),
        "configs": list(AIConfig.objects.order_by("pk").values()),
        "credentials": list(ProviderCredential.objects.order_by("pk").values()),
        "audit": AuditEvent.objects.count(),
        "invitations": list(Invitation.objects.order_by("pk").values()),
    }


@pytest.mark.django_db
class TestWhatComesOver:
    @pytest.mark.parametrize("provider", sorted(KEYS))
    def test_a_tenant_with_its_own_key(self, written: Any, provider: str) -> None:
        alerts = {"enabled": True, "monthlyThreshold": 12_345, "email": "boss@example.test"}
        report = import_file(written(tenant(1, provider, costAlerts=alerts, usageTracking=False)))
        organization = Organization.objects.get(external_id="org_1")
        assert (organization.name, organization.slug) == ("Tenant 1", "tenant-1")
        assert line(report).startswith("     1  created    org_1 as tenant-1")
        config = AIConfig.objects.get(organization=organization)
        assert (config.provider, config.usage_tracking, config.version) == (provider, False, 1)
        credential = ProviderCredential.objects.get(organization=organization)
        assert decrypt_api_key(credential.sealed_key, binding=credential.binding) == KEYS[provider]
        assert (credential.provider, credential.last4, credential.created_by) == (provider, "wxyz", None)
        alert = cost_alert_of(organization)
        assert (alert.enabled, alert.monthly_threshold, alert.email) == (True, Decimal("123.45"), "boss@example.test")

    def test_an_alert_without_an_address_goes_to_every_admin(self, written: Any) -> None:
        import_file(written(tenant(1, "openai", costAlerts={"enabled": True, "monthlyThreshold": 100})))
        assert cost_alert_of(Organization.objects.get()) == CostAlertChoice(enabled=True, monthly_threshold=Decimal(1))

    @pytest.mark.parametrize(
        ("provider", "given", "chat", "embedding"),
        [
            ("openrouter", ("anthropic/claude-sonnet-5.5", "text-embedding-3-small"), "anthropic/claude-sonnet-5.5", "openai/text-embedding-3-small"),
            ("openrouter", ("openai/gpt-5", "openai/text-embedding-3-large"), "openai/gpt-5", "openai/text-embedding-3-large"),
            ("openrouter", ("gpt-4o", "text-embedding-3-small"), "openai/gpt-4o", "openai/text-embedding-3-small"),
            ("openai", ("openai/gpt-4o", "openai/text-embedding-3-small"), "gpt-4o", "text-embedding-3-small"),
            ("openai", ("gpt-4o", ""), "gpt-4o", "text-embedding-3-small"),
            ("anthropic", ("anthropic/claude-opus-5-5", "text-embedding-3-small"), "claude-opus-5-5", ""),
        ],
    )  # fmt: skip
    def test_model_names(self, written: Any, provider: str, given: tuple[str, str], chat: str, embedding: str) -> None:
        one = tenant(1, provider)
        one["aiConfig"]["models"] = dict(zip(("chat", "embedding"), given, strict=True))
        import_file(written(one))
        config = AIConfig.objects.get()
        assert (config.chat_model, config.embedding_model) == (chat, embedding)
        assert config.embedding_provider == (provider if embedding else "")

    @pytest.mark.parametrize(
        ("provider", "model", "told"),
        [
            ("openrouter", "anthropic/claude-3.5-sonnet", "is retired: anthropic/claude-sonnet-5.5 took its place"),
            ("openrouter", "google/gemini-pro-1.5", "chat model google/gemini-pro-1.5 is retired"),
            ("openai", "openai/gpt-4-turbo-2024-04-09", "gpt-4-turbo-2024-04-09 is retired: gpt-5 took its place"),
            ("anthropic", "claude-3-5-sonnet-20241022", "is retired: claude-sonnet-5-5 took its place"),
            ("anthropic", "gpt-4", "chat model gpt-4 is not one of Anthropic's: choose another"),
            ("openai", "anthropic/claude-3-opus", "is not one of OpenAI's: choose another"),
        ],
    )
    def test_names_that_need_attention_are_kept_and_told(
        self, written: Any, provider: str, model: str, told: str
    ) -> None:
        one = tenant(1, provider)
        one["aiConfig"]["models"]["chat"] = model
        assert told in line(import_file(written(one)))
        assert AIConfig.objects.get().chat_model in model

    def test_anthropic_has_no_embeddings_and_the_report_says_why(self, written: Any) -> None:
        assert "no embeddings: Anthropic offers none" in line(import_file(written(tenant(1, "anthropic"))))

    def test_a_tenant_without_a_configuration_is_an_organisation_only(self, written: Any) -> None:
        import_file(written(tenant(1, None), tenant(2, "platform_default", key=None)))
        assert not AIConfig.objects.filter(organization__external_id="org_1").exists()
        config = AIConfig.objects.get(organization__external_id="org_2")
        assert (config.provider, config.embedding_provider, config.chat_model) == (PLATFORM_DEFAULT,) * 2 + ("",)

    def test_openrouter_settings(self, written: Any) -> None:
        import_file(written(tenant(1, openrouterSettings={"siteUrl": "https://acme.example", "siteName": " Acme "})))
        config = AIConfig.objects.get()
        assert (config.openrouter_site_url, config.openrouter_site_name) == ("https://acme.example", "Acme")

    def test_who_did_it_is_in_the_audit_log_without_secrets(self, written: Any) -> None:
        import_file(written(tenant(1)))
        events = list(AuditEvent.objects.order_by("pk"))
        assert [event.action for event in events] == ["ai_config.imported", "credential.saved", "tenant.imported"]
        assert {event.actor_label for event in events} == {"system"}
        assert events[-1].after == {
            "name": "Tenant 1",
            "external_id": "org_1",
            "source_id": "00000000-0001",
            "config_version": 1,
            "with_own_key": True,
        }

    def test_own_keys_switched_off_leaves_what_was_imported_for_later(self, written: Any, settings: Settings) -> None:
        settings.BYOK_ENABLED = False
        import_file(written(tenant(1)))
        organization = Organization.objects.get()
        assert get_ai_config(organization).provider == PLATFORM_DEFAULT
        settings.BYOK_ENABLED, settings.BYOK_ALLOWED_ORGS = True, frozenset({"org_1"})
        assert get_ai_config(organization).provider == "openrouter"


@pytest.mark.django_db
class TestKeysThatStayBehind:
    def test_without_the_variable(self, written: Any) -> None:
        file = written(tenant(1))
        told = "key not imported: name the variable that holds the old secret with --legacy-secret-env"
        assert told in line(import_file(file, secret=False))
        assert (AIConfig.objects.get().provider, ProviderCredential.objects.count()) == ("openrouter", 0)
        assert "unchanged" in line(import_file(file, secret=False))
        # The variable is named later: the key follows.
        assert "updated" in line(import_file(file))
        assert ProviderCredential.objects.count() == 1
        # And stays, and is not missed, where a later run goes without it.
        assert line(import_file(file, secret=False)).endswith("unchanged  org_1 as tenant-1")
        assert ProviderCredential.objects.count() == 1

    def test_one_of_another_provider(self, written: Any) -> None:
        report = import_file(written(tenant(1, "openrouter", key=KEYS["anthropic"])))
        assert "key not imported: it does not look like one of OpenRouter's keys" in line(report)
        assert ProviderCredential.objects.count() == 0

    def test_one_of_a_tenant_on_the_platforms_ai(self, written: Any) -> None:
        report = import_file(written(tenant(1, "platform_default", key=KEYS["openai"])))
        assert "key not imported: the tenant is on the platform's AI" in line(report)
        assert ProviderCredential.objects.count() == 0

    def test_one_that_does_not_open_fails_the_tenant_and_no_other(self, written: Any) -> None:
        broken, raw = tenant(1), tenant(2)
        broken["aiConfig"]["encryptedApiKey"] = seal(KEYS["openrouter"], "ff" * 32)
        raw["aiConfig"]["encryptedApiKey"] = KEYS["openrouter"]
        report = import_file(written(broken, raw, tenant(3)), fails=True)
        assert line(report).endswith("aiConfig.encryptedApiKey: It was changed, or sealed with another secret.")
        assert "aiConfig.encryptedApiKey: It is not of the form" in line(report, 2)
        assert "1 created, 0 updated, 0 unchanged, 0 skipped, 2 failed" in report
        assert [row.external_id for row in Organization.objects.all()] == ["org_3"]

    @pytest.mark.parametrize("value", ["", "00" * 31, OLD_SECRET + "00", "x" * 64])
    def test_the_variable_is_checked_before_anything_is_done(
        self, written: Any, monkeypatch: pytest.MonkeyPatch, value: str
    ) -> None:
        monkeypatch.setenv(NAME, value)
        report = import_file(written(tenant(1)), fails=True)
        assert report.startswith(f"The environment variable {NAME} ")
        assert not value or value not in report
        assert not Organization.objects.exists()


@pytest.mark.django_db
class TestRunningItAgain:
    def test_changes_nothing(self, written: Any) -> None:
        alerts = {"enabled": False, "monthlyThreshold": 0, "email": ""}
        kinds = [tenant(n, p, costAlerts=alerts) for n, p in enumerate([*KEYS, "platform_default"], start=1)]
        file = written(*kinds, tenant(9, None), {**tenant(10), "name": "Ł" * 90})
        import_file(file)
        before = rows()
        assert "6 tenants: 0 created, 0 updated, 6 unchanged, 0 skipped, 0 failed" in import_file(file)
        assert rows() == before

    def test_brings_over_what_the_old_system_changed_meanwhile(self, written: Any) -> None:
        import_file(written(tenant(1), tenant(2)))
        kept = ProviderCredential.objects.get(organization__external_id="org_2").sealed_key
        changed = tenant(1, key="sk-or-v1-anotherAnotherAnother0000")
        renamed = {**tenant(2), "name": "Renamed"}
        renamed["aiConfig"]["usageTracking"] = False
        report = import_file(written(changed, renamed))
        assert "updated" in line(report, 1)
        assert "updated" in line(report, 2)
        assert ProviderCredential.objects.get(organization__external_id="org_1").last4 == "0000"
        # Its key is the same: it is not sealed again.
        assert ProviderCredential.objects.get(organization__external_id="org_2").sealed_key == kept
        organization = Organization.objects.get(external_id="org_2")
        assert (organization.name, organization.slug) == ("Renamed", "tenant-2")

    def test_leaves_alone_what_somebody_changed_here(self, written: Any) -> None:
        file = written(tenant(1), tenant(2), tenant(3, None))
        import_file(file)
        saved, removed, first = (Organization.objects.get(external_id=f"org_{n}") for n in (1, 2, 3))
        save_ai_config(saved, provider="openai", chat_model="gpt-5", api_key=KEYS["openai"])
        remove_api_key(removed, "openrouter")
        save_ai_config(first, provider="openai", chat_model="gpt-5", api_key=KEYS["openai"])
        before = rows()
        report = import_file(file)
        assert "skipped    org_1 as tenant-1: changed here since the import; --overwrite" in line(report, 1)
        assert "skipped    org_2" in line(report, 2)
        assert "unchanged  org_3" in line(report, 3)
        assert rows() == before
        report = import_file(file, "--overwrite")
        assert "updated" in line(report, 1)
        assert AIConfig.objects.get(organization=saved).provider == "openrouter"
        assert ProviderCredential.objects.filter(organization=removed).exists()
        assert "2 unchanged" not in report
        assert "3 unchanged" in import_file(file)

    def test_a_backfilled_row_is_nobodys_change(self, written: Any) -> None:
        import_file(written(tenant(1, None)))
        call_command("backfill_ai_config", stdout=StringIO(), stderr=StringIO())
        assert "updated" in line(import_file(written(tenant(1))))

    def test_a_key_that_was_rotated_meanwhile_is_the_same_key(self, written: Any, settings: Settings) -> None:
        file = written(tenant(1))
        import_file(file)
        settings.ENCRYPTION_SECRET_PREVIOUS = [settings.ENCRYPTION_SECRET]
        settings.ENCRYPTION_SECRET = "8f3c1d5e7a9b2046" + "c0ffee1234567890abcdef9876543210deadbeef1122334a"
        before = rows()
        assert "unchanged" in line(import_file(file))
        assert rows() == before


@pytest.mark.django_db
class TestNames:
    def test_addresses_are_made_from_names_and_unique(self, written: Any) -> None:
        OrganizationFactory(slug="acme")
        names = ["Acme", "ACME!", "Admin", "日本", "Acme & Söhne", "x"]
        tenants = [{**tenant(n, None), "name": name} for n, name in enumerate(names, start=1)]
        file = written(*tenants)
        planned = [
            text.partition(" as ")[2].partition(":")[0]
            for text in import_file(file, "--dry-run").splitlines()
            if " as " in text
        ]
        import_file(file)
        slugs = list(Organization.objects.exclude(external_id=None).order_by("pk").values_list("slug", flat=True))
        assert slugs == ["acme-team", "acme-hq", "admin-team", "org-4", "acme-sohne", "x-team"]
        assert planned == slugs

    def test_long_names_are_cut_and_control_characters_removed(self, written: Any) -> None:
        report = import_file(
            written({**tenant(1, None), "name": "n" * 200}, {**tenant(2, None), "name": "A\r\nBcc: x\u202e\x07"})
        )
        assert "the name is cut: 80 characters of 200 are kept" in line(report, 1)
        assert "control characters in the name are removed" in line(report, 2)
        assert list(Organization.objects.order_by("pk").values_list("name", flat=True)) == ["n" * 79 + "…", "A Bcc: x"]


# A field that is wrong, by its path, and a word of the sentence.
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"clerkOrgId": None}, "clerkOrgId: "),
    ({"clerkOrgId": ""}, "clerkOrgId: "),
    ({"clerkOrgId": "o" * 101}, "clerkOrgId: "),
    ({"name": ""}, "name: "),
    ({"name": "\x00\x01"}, "name: "),
    ({"name": "\ud800"}, "name: "),
    ({"name": 7}, "name: "),
    ({"aiConfig": "x"}, "aiConfig: "),
    ({"aiConfig": {"provider": "gemini"}}, "aiConfig.provider: "),
    ({"aiConfig": {"provider": "openai"}}, "aiConfig.models: "),
    ({"aiConfig": {"provider": "openai", "models": {}}}, "aiConfig.models.chat: "),
    ({"aiConfig": {"provider": "openai", "models": {"chat": ""}}}, "aiConfig.models.chat: "),
    ({"aiConfig": {"provider": "openai", "models": {"chat": "m" * 201}}}, "aiConfig.models.chat: "),
    ({"aiConfig": {"provider": "openai", "models": {"chat": "a\nb"}}}, "aiConfig.models.chat: "),
    ({"aiConfig": {"provider": "openrouter", "models": {"chat": "mystery"}}}, "aiConfig.models.chat: "),
    ({"aiConfig": {"provider": "platform_default", "usageTracking": "no"}}, "aiConfig.usageTracking: "),
    ({"aiConfig": {"provider": "platform_default", "openrouterSettings": {"siteUrl": "acme"}}}, "aiConfig.openrouterSettings.siteUrl: "),
    ({"aiConfig": {"provider": "platform_default", "openrouterSettings": {"siteName": "n" * 81}}}, "aiConfig.openrouterSettings.siteName: "),
    ({"aiConfig": {"provider": "platform_default", "costAlerts": {"monthlyThreshold": 5}}}, "aiConfig.costAlerts.enabled: "),
    ({"aiConfig": {"provider": "platform_default", "costAlerts": {"enabled": True, "monthlyThreshold": 1.5, "email": "a@b.test"}}}, "aiConfig.costAlerts.monthlyThreshold: "),
    ({"aiConfig": {"provider": "platform_default", "costAlerts": {"enabled": True, "monthlyThreshold": 1e30, "email": "a@b.test"}}}, "aiConfig.costAlerts.monthlyThreshold: "),
    ({"aiConfig": {"provider": "platform_default", "costAlerts": {"enabled": True, "monthlyThreshold": 0, "email": "a@b.test"}}}, "aiConfig.costAlerts.monthlyThreshold: "),
    ({"aiConfig": {"provider": "platform_default", "costAlerts": {"enabled": False, "email": "nobody"}}}, "aiConfig.costAlerts.email: "),
]  # fmt: skip


@pytest.mark.django_db
class TestWhatIsWrongInTheFile:
    @pytest.mark.parametrize(("wrong", "path"), WRONG, ids=lambda value: value if isinstance(value, str) else "")
    def test_the_field_is_named_and_the_others_come_over(self, written: Any, wrong: dict[str, Any], path: str) -> None:
        report = import_file(written({**tenant(1), **wrong}, tenant(2)), fails=True)
        assert "failed" in line(report)
        assert f": {path}" in line(report)
        assert "created    org_2" in line(report, 2)
        assert Organization.objects.count() == 1

    def test_unknown_fields_are_told(self, written: Any) -> None:
        one = tenant(1, region="eu", openrouterSettings={"logo": "x"})
        report = import_file(written({**one, "createdAt": "2025-01-01"}))
        assert "ignored: createdAt, aiConfig.region, aiConfig.openrouterSettings.logo" in line(report)

    def test_a_tenant_that_comes_twice_fails_the_second_time(self, written: Any) -> None:
        report = import_file(written(tenant(1), tenant(1, "openai")), fails=True)
        assert "clerkOrgId: tenant 1 has the same" in line(report, 2)
        assert AIConfig.objects.get().provider == "openrouter"

    def test_what_is_no_tenant(self, written: Any) -> None:
        report = import_file(written(7, None, [tenant(1)], tenant(2)), fails=True)
        assert "3 failed" in report
        assert "a tenant must be a JSON object" in line(report, 3)

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("", "does not begin with"),
            ("{}", "does not begin with"),
            ("[{", "Tenant 1 is no valid JSON, or the file ends within it."),
            ('[{"a": 1} {"b": 2}]', "After tenant 1 there is neither"),
            ('[{"a": 1},]', "Tenant 2 is no valid JSON"),
            ("[] []", "Something follows"),
            ("[" + "[" * 20_000, "Tenant 1 is no valid JSON"),
            ('["' + "x" * 2_000_000, "longer than 1 MB"),
            (f"[{'9' * 5000}]", "Tenant 1 is no valid JSON"),
        ],
    )
    def test_what_is_no_array(self, tmp_path: Path, text: str, told: str) -> None:
        file = tmp_path / "broken.json"
        file.write_text(text)
        assert told in import_file(str(file), fails=True)

    def test_what_came_before_the_damage_is_done(self, tmp_path: Path) -> None:
        file = tmp_path / "cut.json"
        file.write_text(json.dumps([tenant(1), tenant(2)])[:-40])
        report = import_file(str(file), fails=True)
        assert "1 tenants: 1 created" in report
        assert Organization.objects.count() == 1

    def test_a_file_that_is_not_there_or_not_in_utf_8(self, tmp_path: Path) -> None:
        assert "cannot be read: No such file" in import_file(str(tmp_path / "none.json"), fails=True)
        (tmp_path / "latin.json").write_bytes(b'["\xe9"]')
        assert "not encoded in UTF-8" in import_file(str(tmp_path / "latin.json"), fails=True)

    def test_standard_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", StringIO(json.dumps([tenant(1)])))
        assert "1 created" in import_file("-")


@pytest.mark.django_db
def test_a_dry_run_reports_the_same_and_writes_nothing(written: Any, tmp_path: Path) -> None:
    admins = tmp_path / "admins.csv"
    admins.write_text("clerkOrgId,email\norg_1,ada@example.test\norg_7,bo@example.test\n")
    file = written(tenant(1), tenant(2, "anthropic"), {**tenant(3), "name": "Tenant 1"}, {**tenant(4), "name": ""})
    before = rows()
    planned = import_file(file, "--dry-run", "--invite-admins", str(admins), fails=True)
    assert rows() == before
    assert mail.outbox == []
    done = import_file(file, fails=True)
    tenants_of = [[text for text in report.splitlines() if " org_" in text] for report in (planned, done)]
    assert tenants_of[0][:4] == tenants_of[1]
    assert "created    org_1: ada@example.test is invited as admin" in planned
    assert "failed     org_7: clerkOrgId: no organisation was brought over" in planned


def _break(*_: object, **__: object) -> str:
    raise RuntimeError("boom")


@pytest.mark.django_db
def test_no_key_is_seen_anywhere(
    written: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Success, a failure and an unforeseen error at DEBUG level: output, log, exception, database outside its envelope."""
    caplog.set_level(logging.DEBUG)
    canary = "sk-or-v1-CANARYcanaryCANARYcanary4242"
    good, wrong, mixed = tenant(1, key=canary), tenant(2, key=canary, costAlerts={"enabled": True}), tenant(3)
    mixed["aiConfig"]["encryptedApiKey"] = canary
    mixed["name"] = f"\x1b[31m{canary}"
    named = {**tenant(4, key=canary), canary: 1}
    report = import_file(written(good, wrong, mixed, named), fails=True)
    monkeypatch.setattr("byok.keys.stored.encrypt_api_key", _break)
    file = written(tenant(5, key=canary))
    with pytest.raises(RuntimeError) as raised:
        import_file(file)
    seen = [report, caplog.text, repr(raised.value), str(list(AuditEvent.objects.values())), str(rows())]
    assert [text for text in seen if "canary" in text.lower() or OLD_SECRET in text] == []
    assert "\x1b" not in report


@pytest.mark.django_db(transaction=True)
def test_killed_in_the_middle_and_run_again(tmp_path: Path) -> None:
    """A real process, killed by SIGKILL: each tenant is there whole or not at all, and the next run brings the rest."""
    tenants = [tenant(number, ("openrouter", "openai", "anthropic")[number % 3]) for number in range(1, 61)]
    file = tmp_path / "tenants.json"
    file.write_text(json.dumps(tenants))
    for kill_after in (15, None):
        process = start("import_tenants", str(file), "--legacy-secret-env", NAME, **{NAME: OLD_SECRET})
        if kill_after is not None:
            wait_until(lambda count=kill_after: Organization.objects.count() >= count, process)  # type: ignore[misc]
            process.send_signal(signal.SIGKILL)
        out, err = process.communicate(timeout=120)
        assert kill_after is not None or process.returncode == 0, err.decode()
    assert "60 tenants" in out.decode()
    assert Organization.objects.count() == AIConfig.objects.count() == ProviderCredential.objects.count() == 60
    assert AuditEvent.objects.filter(action="tenant.imported").count() == 60
    assert not AIConfig.objects.exclude(version=1).exists()
    assert "60 unchanged" in import_file(str(file))


@pytest.mark.django_db
def test_a_run_knows_what_it_came_by(written: Any) -> None:
    run_of_one = TenantImport(dry_run=True)
    outcome = run_of_one.bring(1, tenant(1, None))
    assert outcome.state is State.CREATED
    assert run_of_one.is_known("org_1")
    assert not run_of_one.is_known("org_2")
