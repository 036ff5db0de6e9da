"""The models that the tests call. Each has a list price."""

CHAT_MODELS = {
    "openai": "gpt-5.4-mini",
    "anthropic": "claude-haiku-5-5",
    "openrouter": "anthropic/claude-haiku-5.5",
}
EMBEDDING_PROVIDERS = {"openai": "openai", "anthropic": "", "openrouter": "openrouter"}
EMBEDDING_MODELS = {"openai": "text-embedding-3-small", "openrouter": "openai/text-embedding-3-small"}
