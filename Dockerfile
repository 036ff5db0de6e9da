# The production image: one for web, worker, beat and migrate (see docker-compose.yml).
FROM python:3.11-slim-bookworm AS base
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PATH=/opt/venv/bin:$PATH

FROM base AS build
WORKDIR /app
ENV UV_PROJECT_ENVIRONMENT=/opt/venv \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never
RUN pip install --no-cache-dir uv==0.13.9
COPY pyproject.toml uv.lock ./
# Production dependencies only: neither the embedded servers nor the development tools.
RUN uv sync --frozen --no-default-groups
COPY manage.py ./
COPY leadagent ./leadagent
COPY byok ./byok
COPY usage ./usage
COPY templates ./templates
COPY static ./static
# Settings want a full environment. These values exist during this one command and sign or seal nothing.
RUN LEADAGENT_ENV=production \
    PUBLIC_URL=https://build.invalid \
    EMAIL_URL=smtp://build.invalid \
    SECRET_KEY="$(python -c 'import secrets; print(secrets.token_hex(32))')" \
    ENCRYPTION_SECRET="$(python -c 'import secrets; print(secrets.token_hex(32))')" \
    DATABASE_URL=postgres://build@127.0.0.1/build \
    REDIS_URL=redis://127.0.0.1:6379/0 \
    python manage.py collectstatic --noinput

FROM base
# The HTTP clients read the system's certificates; the slim image may come without them.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
RUN groupadd --gid 10001 leadagent \
    && useradd --uid 10001 --gid leadagent --no-create-home --home-dir /tmp --shell /usr/sbin/nologin leadagent \
    && install --directory --owner=leadagent --group=leadagent --mode=0700 /var/lib/leadagent/spool /var/lib/leadagent/exports
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
ENV LEADAGENT_ENV=production \
    USAGE_SPOOL_DIR=/var/lib/leadagent/spool \
    EXPORT_DIR=/var/lib/leadagent/exports
USER leadagent
EXPOSE 8000
STOPSIGNAL SIGTERM
# Asks under the public host name: other hosts are refused, this machine's own address included.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys, urllib.parse; c = http.client.HTTPConnection('127.0.0.1', 8000, timeout=4); c.request('GET', '/healthz', headers={'Host': urllib.parse.urlsplit(os.environ['PUBLIC_URL']).hostname}); sys.exit(c.getresponse().status != 200)"]
CMD ["gunicorn", "leadagent.wsgi", "--config", "python:leadagent.web_server", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--workers", "2", "--threads", "8", "--worker-tmp-dir", "/dev/shm", "--graceful-timeout", "30", "--no-control-socket"]
