from django.apps import AppConfig


class LeadsConfig(AppConfig):
    name = "leadagent.leads"
    label = "leads"
    verbose_name = "Leads"

    def ready(self) -> None:
        from leadagent.leads.outcomes import count_outcomes
        from usage.contributions import count_outcomes_with

        count_outcomes_with(count_outcomes)
