from django.urls import path

from usage import views

app_name = "usage"

urlpatterns = [
    path("o/<slug:org>/usage/", views.dashboard, name="dashboard"),
]
