from django.apps import AppConfig


class SandboxConfig(AppConfig):
    name = "leadagent.sandbox"
    label = "sandbox"
    verbose_name = "Sandbox provider"
