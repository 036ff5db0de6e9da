from django.apps import AppConfig


class TenantsConfig(AppConfig):
    name = "leadagent.tenants"
    label = "tenants"
    verbose_name = "Organisations"

    def ready(self) -> None:
        from leadagent.tenants import audit_accounts, recent_sign_in  # noqa: F401  # connect their signal receivers
