from django.apps import AppConfig


class BackupConfig(AppConfig):
    """Brings a command and no tables."""

    name = "leadagent.backup"
    label = "backup"
