"""Every address of the product."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path, re_path

from leadagent import health, metrics
from leadagent.api import api
from leadagent.tenants.api_errors import not_found
from leadagent.tenants.views.home import home

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
    path("admin/adoption/", include("byok.admin_urls")),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("api/", api.urls),
    re_path(r"^api/", not_found),
    path("", home, name="home"),
    path("", include("leadagent.tenants.urls")),
    path("", include("byok.urls")),
    path("", include("leadagent.leads.urls")),
    path("", include("usage.urls")),
]

if settings.SANDBOX_ENABLED:
    urlpatterns.append(path("sandbox/", include("leadagent.sandbox.urls")))
