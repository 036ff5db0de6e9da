from django.apps import AppConfig


class UsageConfig(AppConfig):
    name = "usage"
    verbose_name = "AI usage"

    def ready(self) -> None:
        from usage import tasks
        from usage.recording import nudges

        nudges.send_by(tasks.drain_inbox.delay)
