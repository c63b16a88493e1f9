"""Cohere's chat protocol, version 2, as a provider speaks it."""
