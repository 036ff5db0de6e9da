from django.apps import AppConfig


class TenantsConfig(AppConfig):
    name = "leadagent.tenants"
    label = "tenants"
    verbose_name = "Organisations"
