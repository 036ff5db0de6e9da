from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.models.signals import post_migrate


class ByokConfig(AppConfig):
    name = "byok"
    verbose_name = "AI keys and models"

    def ready(self) -> None:
        from byok import checks  # noqa: F401  # registers them
        from byok.catalog.cheaper_models import find_cheaper_models
        from byok.catalog.loading import load_after_migrate
        from byok.config.known_configs import listen_to_own_saves
        from byok.encryption import check_key_ring
        from byok.keys.alert_secrets import KeyRingSealer
        from byok.providers import REGISTRY
        from leadagent.logs import know_key_prefixes
        from usage.alerting.sealing import register
        from usage.analytics.contributions import find_cheaper_models_with

        listen_to_own_saves()
        check_key_ring()
        know_key_prefixes(prefix for entry in REGISTRY.values() for prefix in entry.key_prefixes)
        post_migrate.connect(load_after_migrate, sender=self)
        register(KeyRingSealer())
        find_cheaper_models_with(find_cheaper_models)
        try:
            REGISTRY[settings.PLATFORM_PROVIDER].check_model(settings.PLATFORM_CHAT_MODEL)
        except ValueError as exc:
            raise ImproperlyConfigured(f"PLATFORM_CHAT_MODEL is {settings.PLATFORM_CHAT_MODEL!r}: {exc}") from None
