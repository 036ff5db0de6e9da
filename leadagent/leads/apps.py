from django.apps import AppConfig


class LeadsConfig(AppConfig):
    name = "leadagent.leads"
    label = "leads"
    verbose_name = "Leads"
