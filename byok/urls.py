from django.urls import path

from byok.views import settings as views

app_name = "byok"

urlpatterns = [
    path("o/<slug:org>/settings/ai/", views.ai_settings, name="settings"),
    path("o/<slug:org>/settings/ai/keys/<slug:provider>/remove/", views.remove_key, name="remove_key"),
]
