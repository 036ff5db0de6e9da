"""Addresses below /sandbox/, laid out as each provider lays out its own."""

from django.urls import path

from leadagent.sandbox import anthropic_wire, internet, openai_wire, openrouter_auth, openrouter_wire, views

urlpatterns = [
    path("requests", views.requests, name="sandbox-requests"),
    path("searxng/search", internet.search),
    path("internet/pages/<str:host>/", internet.page, {"path": ""}),
    path("internet/pages/<str:host>/<path:path>", internet.page),
    path("internet/dns/<str:host>/", internet.dns),
    path("openai/v1/chat/completions", openai_wire.chat_completions),
    path("openai/v1/embeddings", openai_wire.embeddings),
    path("openai/v1/models", openai_wire.models),
    path("openai/v1/models/<str:name>", openai_wire.model),
    path("openai/<path:rest>", openai_wire.unknown_path),
    path("anthropic/v1/messages", anthropic_wire.messages),
    path("anthropic/v1/models", anthropic_wire.models),
    path("anthropic/v1/models/<str:name>", anthropic_wire.model),
    path("anthropic/<path:rest>", anthropic_wire.unknown_path),
    path("openrouter/api/v1/chat/completions", openrouter_wire.chat_completions),
    path("openrouter/api/v1/embeddings", openrouter_wire.embeddings),
    path("openrouter/api/v1/models", openrouter_wire.models),
    path("openrouter/api/v1/models/user", openrouter_wire.models_of_account),
    path("openrouter/api/v1/embeddings/models", openrouter_wire.embedding_models),
    path("openrouter/api/v1/key", openrouter_wire.key),
    path("openrouter/api/v1/generation", openrouter_wire.generation),
    path("openrouter/api/v1/auth/keys", openrouter_auth.auth_keys),
    path("openrouter/auth", openrouter_auth.auth),
    path("openrouter/<path:rest>", openrouter_wire.unknown_path),
]
