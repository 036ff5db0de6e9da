"""All configuration: the only module that reads the environment.

Every name is listed with its meaning in `.env.example`. There is one rule for every
mode (production, demo, test): secrets are required and checked; `make run` and
`make test` make their own.
"""

import os
import re
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django_stubs_ext
import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from leadagent.beat_schedule import SCHEDULE
from leadagent.telemetry.lines import logging_config

# Lets Django's own generic classes (admin, forms, querysets) be annotated at run time.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

# --- What runs here -----------------------------------------------------------------

MODE = env.str("LEADAGENT_ENV", default="production")
if MODE not in {"production", "demo", "test"}:
    raise ImproperlyConfigured(f"LEADAGENT_ENV is {MODE!r}: use production, demo or test.")
PRODUCT_NAME = "Lead Agent"
DEBUG = env.bool("DEBUG", default=False)
if DEBUG and MODE == "production":
    raise ImproperlyConfigured("DEBUG is on in production: its error pages show what people have typed in, keys too.")
PUBLIC_URL = env.str("PUBLIC_URL", default="http://127.0.0.1:8000").rstrip("/")
# Plain http is for a person's own machine only: cookies and HSTS follow from the address.
SERVED_BY_HTTPS = urlsplit(PUBLIC_URL).scheme == "https"
if MODE == "production" and not SERVED_BY_HTTPS:
    raise ImproperlyConfigured(f"PUBLIC_URL is {PUBLIC_URL!r}: production is served by https.")

# --- Secrets ------------------------------------------------------------------------

# Texts that people leave in place when they copy an example file.
_PLACEHOLDERS = ("change", "placeholder", "your-", "insecure", "example", "secret-key")


def _required_secret(name: str, *, hint: str) -> str:
    value = str(env.str(name, default="")).strip()
    if not value or any(word in value.lower() for word in _PLACEHOLDERS):
        raise ImproperlyConfigured(f"{name} is missing or still a placeholder: {hint}")
    return value


def _encryption_secret(name: str, value: str) -> str:
    if len(value) != 64 or any(c not in "0123456789abcdefABCDEF" for c in value):
        raise ImproperlyConfigured(
            f"{name} must be exactly 64 hexadecimal characters: make one with `openssl rand -hex 32`."
        )
    is_repeated = any(value == value[:block] * (64 // block) for block in (1, 2, 4, 8, 16, 32))
    if is_repeated or len(set(value.lower())) < 8:
        raise ImproperlyConfigured(f"{name} is not random: make one with `openssl rand -hex 32`.")
    return value.lower()


SECRET_KEY = _required_secret(
    "SECRET_KEY",
    hint="set at least 50 random characters, for example from `openssl rand -base64 48`.",
)
if len(SECRET_KEY) < 50:
    raise ImproperlyConfigured("SECRET_KEY is shorter than 50 characters: use `openssl rand -base64 48`.")
ENCRYPTION_SECRET = _encryption_secret(
    "ENCRYPTION_SECRET",
    _required_secret(
        "ENCRYPTION_SECRET",
        hint="it seals customers' keys; make one with `openssl rand -hex 32`.",
    ),
)
ENCRYPTION_SECRET_PREVIOUS = [
    _encryption_secret("ENCRYPTION_SECRET_PREVIOUS", value.strip())
    for value in env.list("ENCRYPTION_SECRET_PREVIOUS", default=[])
    if value.strip()
]

# Names the installation inside every sealed key, so that a copy of production's rows does not
# open in staging. Changing it makes all stored keys unreadable.
ENCRYPTION_ENVIRONMENT = env.str("ENCRYPTION_ENVIRONMENT", default=MODE)
DEMO_PASSWORD = env.str("LEADAGENT_DEMO_PASSWORD", default="")

# --- AI providers -------------------------------------------------------------------

# Where each provider is reached. Keys are sent to these hosts and to no others.
PROVIDER_URLS = {
    "openrouter": env.str("PROVIDER_OPENROUTER_URL", default="https://openrouter.ai/api/v1").rstrip("/"),
    "openai": env.str("PROVIDER_OPENAI_URL", default="https://api.openai.com/v1").rstrip("/"),
    "anthropic": env.str("PROVIDER_ANTHROPIC_URL", default="https://api.anthropic.com").rstrip("/"),
}
# The address of a further provider stands in its own file; PROVIDER_<ITS ID>_URL moves it in the same way.
PROVIDER_URLS |= {
    found[1].lower(): value.rstrip("/")
    for name, value in os.environ.items()
    if value and (found := re.fullmatch(r"PROVIDER_([A-Z][A-Z0-9]*)_URL", name))
}
for _provider, _url in PROVIDER_URLS.items():
    _parts = urlsplit(_url)
    if _parts.scheme != "https" and _parts.hostname not in {
        "127.0.0.1",
        "localhost",
        "::1",
    }:
        raise ImproperlyConfigured(
            f"PROVIDER_{_provider.upper()}_URL is {_url!r}: keys travel by https only "
            "(plain http on loopback, for the sandbox)."
        )
    if _parts.username or _parts.password:
        raise ImproperlyConfigured(f"PROVIDER_{_provider.upper()}_URL must not hold a user name or password.")

# The platform's own keys: they serve organisations that use the free tier, and no others.
PLATFORM_KEYS = {
    "openai": env.str("AI_GATEWAY_API_KEY", default=""),
    "anthropic": env.str("ANTHROPIC_API_KEY", default=""),
    "openrouter": env.str("OPENROUTER_API_KEY", default=""),
}
PLATFORM_PROVIDER = env.str("PLATFORM_PROVIDER", default="openai")
if PLATFORM_PROVIDER not in PLATFORM_KEYS:
    raise ImproperlyConfigured(f"PLATFORM_PROVIDER is {PLATFORM_PROVIDER!r}: use openai, anthropic or openrouter.")
PLATFORM_CHAT_MODEL = env.str("PLATFORM_CHAT_MODEL", default="gpt-4o-mini")
PLATFORM_EMBEDDING_MODEL = env.str("PLATFORM_EMBEDDING_MODEL", default="text-embedding-3-small")
FREE_TIER_REQUESTS = env.int("FREE_TIER_REQUESTS", default=50)
# Per organisation and minute: far above what people and workflows do, far below what a stolen token could.
AI_RATE_LIMIT_REQUESTS = env.int("AI_RATE_LIMIT_REQUESTS", default=0 if MODE == "test" else 600)
AI_RATE_LIMIT_TOKENS = env.int("AI_RATE_LIMIT_TOKENS", default=0 if MODE == "test" else 5_000_000)
if min(AI_RATE_LIMIT_REQUESTS, AI_RATE_LIMIT_TOKENS) < 0:
    raise ImproperlyConfigured("AI_RATE_LIMIT_REQUESTS and AI_RATE_LIMIT_TOKENS: use 0 for no limit, or a number.")

BYOK_ENABLED = env.bool("BYOK_ENABLED", default=True)
BYOK_ALLOWED_ORGS = frozenset(slug.strip() for slug in env.list("BYOK_ALLOWED_ORGS", default=[]) if slug.strip())

AI_CONNECT_TIMEOUT = env.float("AI_CONNECT_TIMEOUT", default=10.0)
AI_READ_TIMEOUT = env.float("AI_READ_TIMEOUT", default=120.0)

SANDBOX_ENABLED = env.bool("SANDBOX_ENABLED", default=False)
SANDBOX_RECORD_FILE = env.str("SANDBOX_RECORD_FILE", default="")
if SANDBOX_ENABLED and MODE == "production":
    raise ImproperlyConfigured("SANDBOX_ENABLED is on in production: the sandbox answers with made-up text.")

# --- Research -----------------------------------------------------------------------

SEARCH_PROVIDER = env.str("SEARCH_PROVIDER", default="")
BRAVE_SEARCH_API_KEY = env.str("BRAVE_SEARCH_API_KEY", default="")
TAVILY_API_KEY = env.str("TAVILY_API_KEY", default="")
SEARXNG_URL = env.str("SEARXNG_URL", default="").rstrip("/")
_needed_to_search = {
    "": True,
    "brave": BRAVE_SEARCH_API_KEY,
    "tavily": TAVILY_API_KEY,
    "searxng": urlsplit(SEARXNG_URL).scheme in {"http", "https"} and urlsplit(SEARXNG_URL).hostname,
}
if SEARCH_PROVIDER not in _needed_to_search:
    raise ImproperlyConfigured(
        f"SEARCH_PROVIDER is {SEARCH_PROVIDER!r}: use brave, tavily or searxng, or leave it out."
    )
if not _needed_to_search[SEARCH_PROVIDER]:
    raise ImproperlyConfigured(
        f"SEARCH_PROVIDER is {SEARCH_PROVIDER!r}: set BRAVE_SEARCH_API_KEY, TAVILY_API_KEY or, for searxng, the web "
        "address SEARXNG_URL."
    )
RESEARCH_MAX_STEPS = env.int("RESEARCH_MAX_STEPS", default=20)
RESEARCH_MAX_TOKENS = env.int("RESEARCH_MAX_TOKENS", default=200_000)
_most_it_may_cost = env.str("RESEARCH_MAX_COST", default="1.00")
RESEARCH_MAX_COST = (
    Decimal(_most_it_may_cost) if re.fullmatch(r"\d{1,6}(\.\d{1,6})?", _most_it_may_cost) else Decimal(0)
)
if not 2 <= RESEARCH_MAX_STEPS <= 20 or RESEARCH_MAX_TOKENS <= 0 or RESEARCH_MAX_COST <= 0:
    raise ImproperlyConfigured(
        "RESEARCH_MAX_STEPS is between 2 and 20; RESEARCH_MAX_TOKENS and RESEARCH_MAX_COST are above zero."
    )
# Stands in for the whole internet where the agent opens pages: never in production, and never off this machine.
SANDBOX_INTERNET_URL = env.str("SANDBOX_INTERNET_URL", default="").rstrip("/")
if SANDBOX_INTERNET_URL:
    _stand_in = urlsplit(SANDBOX_INTERNET_URL)
    if MODE == "production" or not SANDBOX_ENABLED:
        raise ImproperlyConfigured("SANDBOX_INTERNET_URL is for demo and tests, together with SANDBOX_ENABLED.")
    if _stand_in.scheme != "http" or _stand_in.hostname not in {"127.0.0.1", "localhost", "::1"}:
        raise ImproperlyConfigured(f"SANDBOX_INTERNET_URL is {SANDBOX_INTERNET_URL!r}: the sandbox is on this machine.")

# The SDKs read these names by themselves and would mix the operator's account into a
# tenant's client. What is ours has been read above; nothing may find them any more.
for _name in list(os.environ):
    if _name.startswith(("OPENAI_", "ANTHROPIC_", "OPENROUTER_", "AI_GATEWAY_")):
        del os.environ[_name]

# --- Django -------------------------------------------------------------------------

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[urlsplit(PUBLIC_URL).hostname or "127.0.0.1"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[PUBLIC_URL])
ROOT_URLCONF = "leadagent.urls"
WSGI_APPLICATION = "leadagent.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "tenants.User"
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

INSTALLED_APPS = [
    "leadagent.tenants",
    "usage",
    "byok",
    "leadagent.leads",
    "leadagent.backup",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
    "django_htmx",
    "template_partials",
    "lucide",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django.forms",
]
if SANDBOX_ENABLED:
    INSTALLED_APPS.append("leadagent.sandbox")

MIDDLEWARE = [
    "leadagent.telemetry.request_lines.RequestLines",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "leadagent.tenants.context_processors.shell",
                "byok.context_processors.own_keys",
                "byok.keys.trouble.key_trouble",
                "byok.config.free_tier_notice.ai_status",
            ],
            "builtins": [
                "django_htmx.templatetags.django_htmx",
                "template_partials.templatetags.partials",
                "lucide.templatetags.lucide",
                "leadagent.telemetry.template_tags",
            ],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# A web process that was told to stop answers 503 on /readyz and serves for so long, before it takes no more requests.
WEB_DRAIN_SECONDS = env.float("WEB_DRAIN_SECONDS", default=5.0 if MODE == "production" else 0.0)
if not 0 <= WEB_DRAIN_SECONDS <= 300:
    raise ImproperlyConfigured("WEB_DRAIN_SECONDS is between 0 and 300.")

# --- PostgreSQL and Redis -----------------------------------------------------------

DATABASES: dict[str, dict[str, Any]] = {"default": env.db_url("DATABASE_URL")}
DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
DATABASES["default"].setdefault("OPTIONS", {})["connect_timeout"] = 5
if MODE == "test":
    # Tests empty the tables by TRUNCATE, which the audit log refuses everywhere else.
    DATABASES["default"]["OPTIONS"]["options"] = " ".join(
        filter(None, [DATABASES["default"]["OPTIONS"].get("options"), "-c leadagent.allow_truncate=on"])
    )

# Files for the knowledge base: the largest one, and everything that one request may carry, in megabytes.
KNOWLEDGE_FILE_MAX_MB = env.int("KNOWLEDGE_FILE_MAX_MB", default=10)
UPLOAD_MAX_MB = env.int("UPLOAD_MAX_MB", default=64)
FILE_UPLOAD_HANDLERS = [
    "leadagent.upload_quota.UploadQuota",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]

# Usage events wait here, on the local disk, while PostgreSQL is away.
USAGE_SPOOL_DIR = env.str("USAGE_SPOOL_DIR", default=str(BASE_DIR / ".local" / "spool"))
USAGE_SPOOL_MAX_BYTES = env.int("USAGE_SPOOL_MAX_BYTES", default=256 * 1024 * 1024)
# Downloads of usage that a worker has prepared; the web process sends them.
EXPORT_DIR = env.str("EXPORT_DIR", default=str(BASE_DIR / ".local" / "exports"))

# How large a file of leads may be, in bytes and rows.
LEAD_IMPORT_MAX_BYTES = env.int("LEAD_IMPORT_MAX_BYTES", default=5 * 1024 * 1024)
LEAD_IMPORT_MAX_ROWS = env.int("LEAD_IMPORT_MAX_ROWS", default=10_000)

# Single calls older than so many whole months are deleted, their daily sums stay; 0 keeps all.
USAGE_RETENTION_MONTHS = env.int("USAGE_RETENTION_MONTHS", default=0)
if USAGE_RETENTION_MONTHS < 0:
    raise ImproperlyConfigured("USAGE_RETENTION_MONTHS is negative: use 0 to keep all, or a number of months.")
# After a call the worker is nudged to drain, at most once in so many seconds per process; 0: beat alone does it.
USAGE_NUDGE_SECONDS = env.float("USAGE_NUDGE_SECONDS", default=0.0 if MODE == "test" else 1.0)
# Opens /metrics to whoever brings it; empty keeps that closed.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
if METRICS_TOKEN and len(METRICS_TOKEN) < 20:
    raise ImproperlyConfigured("METRICS_TOKEN is shorter than 20 characters: make one with `openssl rand -hex 32`.")

# Where the processes of one service put their counters; each container has its own. Nothing is kept without a reader.
METRICS_DIR = env.str(
    "METRICS_DIR", default=f"{tempfile.gettempdir()}/leadagent-metrics-{os.getuid()}" if METRICS_TOKEN else ""
)
WORKER_METRICS_PORT = env.int("WORKER_METRICS_PORT", default=0)

REDIS_URL = env.str("REDIS_URL")
CACHES = {
    "default": {
        "BACKEND": "leadagent.cache.ToleratedRedisCache",
        "LOCATION": REDIS_URL,
        # A person waits for these seconds.
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
    }
}

# Kombu spells Redis over a unix socket its own way.
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_PUBLISH_RETRY_POLICY = {
    "max_retries": 2,
    "interval_start": 0,
    "interval_step": 0.2,
}
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 2,
    "socket_timeout": 10,
    "visibility_timeout": 3600,
    # Whoever saves a form does not wait for a broker that is away: the sweep finds what it was not told.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.2,
}
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = SCHEDULE

# --- Accounts -----------------------------------------------------------------------

AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_LOGOUT_REDIRECT_URL = "home"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_ADAPTER = "leadagent.tenants.account_adapter.AccountAdapter"
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
# Only in the browser that signed up: elsewhere the link confirms and asks to sign in.
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
# Tells people by email when their password, address or second factor changed.
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if SERVED_BY_HTTPS else "http"
ACCOUNT_REAUTHENTICATION_TIMEOUT = 900
ACCOUNT_PREVENT_ENUMERATION = True
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Lead Agent"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# --- Mail ---------------------------------------------------------------------------

_mail = env.email_url("EMAIL_URL", default="consolemail://")
globals().update(_mail)
if MODE == "production" and not _mail["EMAIL_BACKEND"].endswith((".smtp.EmailBackend", ".filebased.EmailBackend")):
    raise ImproperlyConfigured(
        "EMAIL_URL names no mail server: links that let people in would be printed into the log. "
        "Set it, for example to smtp+tls://user:password@mail.example.org:587."
    )
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Lead Agent <leadagent@localhost>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
EMAIL_TIMEOUT = 10

# --- Web security -------------------------------------------------------------------

SECURE_SSL_REDIRECT = SERVED_BY_HTTPS
TRUST_PROXY = env.bool("TRUST_PROXY", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUST_PROXY else None
# One proxy: what it saw is the last address in X-Forwarded-For.
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if TRUST_PROXY else 0
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000 if SERVED_BY_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SERVED_BY_HTTPS
SECURE_HSTS_PRELOAD = SERVED_BY_HTTPS
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SERVED_BY_HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        # allauth's MFA page shows the QR code of the authenticator app as a data: image.
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# --- Static files -------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = env.str("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = MODE != "production"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "whitenoise.storage.CompressedManifestStaticFilesStorage"
            if MODE == "production"
            else "django.contrib.staticfiles.storage.StaticFilesStorage"
        )
    },
}

# --- Logs ---------------------------------------------------------------------------

DEFAULT_EXCEPTION_REPORTER = "leadagent.error_reports.ErrorReporter"
DEFAULT_EXCEPTION_REPORTER_FILTER = "leadagent.error_reports.ErrorReportFilter"
LOGGING_CONFIG = "leadagent.telemetry.lines.configure_logging"
LOGGING = logging_config(level=env.str("LOG_LEVEL", default="INFO"), as_json=MODE == "production")

# Traces go there, by OTLP over HTTP; nothing is traced while it is empty. The SDK reads further OTEL_… names itself.
OTEL_EXPORTER_OTLP_ENDPOINT = env.str("OTEL_EXPORTER_OTLP_ENDPOINT", default="")
OTEL_SERVICE_NAME = env.str("OTEL_SERVICE_NAME", default="leadagent")

if MODE == "test":
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
