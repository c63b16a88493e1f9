"""The models that `auto` chooses from where the operator lists none: current ones of several families, small and large.

As of November 2026, by the vendors' own pages and the catalogue; a test holds the list to the catalogue: every entry
resolves, is not deprecated and has a known price. The cheapest that fits wins, so a model that nobody should get for a
plain question has no place here.
"""

from typing import Final

AUTO_MODELS: Final = (
    "gpt-6-luna",
    "gpt-6.1-terra",
    "gpt-6.1-sol",
    "gpt-5.4-mini",
    "gpt-5.4",
    "claude-haiku-5-5",
    "claude-haiku-4-5",
    "claude-sonnet-5-5",
    "claude-sonnet-4-6",
    "gemini-3.1-flash-lite",
    "gemini-3.5-flash",
    "gemini-4-argon",
    "mistral-small-2603",
    "mistral-large-4",
    "deepseek-v4.1-flash",
    "deepseek/deepseek-v4-flash",
    "grok-4.6",
    "glm-5.3-flash",
    "glm-5.3",
    "qwen3.8-flash",
    "qwen3.8-27b",
    "qwen3.6-plus",
    "kimi-k2.6",
    "kimi-k3.1-pro",
    "minimax-m3",
    "nova-2-lite",
    "command-a",
)
