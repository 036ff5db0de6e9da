"""What people call the makers of models. Pure."""

from __future__ import annotations

# By the word that stands before the slash in OpenRouter's names.
_NAMES = {
    "ai21": "AI21",
    "aion-labs": "AionLabs",
    "allenai": "AllenAI",
    "amazon": "Amazon",
    "anthropic": "Anthropic",
    "arcee-ai": "Arcee AI",
    "baidu": "Baidu",
    "bytedance": "ByteDance",
    "bytedance-seed": "ByteDance Seed",
    "cohere": "Cohere",
    "deepseek": "DeepSeek",
    "google": "Google",
    "ibm-granite": "IBM Granite",
    "inception": "Inception",
    "meta-llama": "Meta",
    "microsoft": "Microsoft",
    "minimax": "MiniMax",
    "mistralai": "Mistral",
    "moonshotai": "Moonshot AI",
    "nousresearch": "Nous Research",
    "nvidia": "NVIDIA",
    "openai": "OpenAI",
    "openrouter": "OpenRouter",
    "perplexity": "Perplexity",
    "qwen": "Qwen",
    "stepfun": "StepFun",
    "tencent": "Tencent",
    "thudm": "THUDM",
    "x-ai": "xAI",
    "xiaomi": "Xiaomi",
    "z-ai": "Z.ai",
}

# The makers that most people look for, each with a chip of its own.
WELL_KNOWN = ("openai", "anthropic", "google", "meta-llama")


def vendor_label(vendor: str) -> str:
    """`meta-llama` as `Meta`; an unknown maker by its own word."""
    return _NAMES.get(vendor) or vendor[:1].upper() + vendor[1:]
