from django.apps import AppConfig
from django.db.models.signals import post_delete, post_save


class LeadsConfig(AppConfig):
    name = "leadagent.leads"
    label = "leads"
    verbose_name = "Leads"

    def ready(self) -> None:
        from leadagent.leads.inbox.assignment import on_membership_deleted, on_membership_saved
        from leadagent.leads.models import LeadWebhook
        from leadagent.leads.outcomes.counting import count_outcomes
        from leadagent.leads.running.changed_settings import listen_to_ai_settings
        from leadagent.tenants.models import Membership
        from usage.alerting.sealing import add_sealed_table
        from usage.analytics.contributions import count_outcomes_with

        count_outcomes_with(count_outcomes)
        add_sealed_table(LeadWebhook)
        post_delete.connect(on_membership_deleted, sender=Membership, dispatch_uid="leads of who left")
        post_save.connect(on_membership_saved, sender=Membership, dispatch_uid="leads of who may only look")
        listen_to_ai_settings()
