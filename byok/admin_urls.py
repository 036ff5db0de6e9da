"""Pages of ours within Django admin; mounted before it, guarded by it."""

from django.contrib import admin
from django.urls import path

from byok.views import adoption

app_name = "adoption"
urlpatterns = [
    path("", admin.site.admin_view(adoption.page), name="page"),
    path("figures.csv", admin.site.admin_view(adoption.figures_csv), name="csv"),
]
