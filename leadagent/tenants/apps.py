from django.apps import AppConfig


class TenantsConfig(AppConfig):
    name = "leadagent.tenants"
    label = "tenants"
    verbose_name = "Organisations"

    def ready(self) -> None:
        # These connect their signal receivers.
        from leadagent.tenants import recent_sign_in  # noqa: F401
        from leadagent.tenants.audit_trail import accounts  # noqa: F401
