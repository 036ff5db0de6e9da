from django.apps import AppConfig


class ByokConfig(AppConfig):
    name = "byok"
    verbose_name = "AI keys and models"
