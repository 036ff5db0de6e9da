from django.apps import AppConfig


class UsageConfig(AppConfig):
    name = "usage"
    verbose_name = "AI usage"

    def ready(self) -> None:
        from usage import tasks
        from usage.alerting.sealing import add_sealed_table
        from usage.models import AlertSecret
        from usage.recording import nudges

        nudges.send_by(tasks.drain_inbox.delay)
        add_sealed_table(AlertSecret)
