from django.urls import path

from usage.views import alerts as alert_views
from usage.views import calls, dashboard

app_name = "usage"

urlpatterns = [
    path("o/<slug:org>/usage/", dashboard.dashboard, name="dashboard"),
    path("o/<slug:org>/usage/calls/", calls.calls, name="calls"),
    path("o/<slug:org>/usage/export/", calls.export, name="export"),
    path("o/<slug:org>/usage/exports/", calls.exports, name="exports"),
    path("o/<slug:org>/usage/exports/<uuid:export_id>/", calls.export_file, name="export_file"),
    path("o/<slug:org>/settings/alerts/", alert_views.alerts, name="alerts"),
    path("o/<slug:org>/settings/alerts/test/", alert_views.send_test, name="alert_test"),
    path("o/<slug:org>/settings/alerts/secret/", alert_views.new_secret, name="alert_secret"),
]
