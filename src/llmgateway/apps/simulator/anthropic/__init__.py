"""Anthropic's messages protocol, as a provider speaks it."""
