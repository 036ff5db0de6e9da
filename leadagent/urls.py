"""Every address of the product."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from leadagent import health

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("", include("leadagent.tenants.urls")),
]

if settings.SANDBOX_ENABLED:
    urlpatterns.append(path("sandbox/", include("leadagent.sandbox.urls")))
