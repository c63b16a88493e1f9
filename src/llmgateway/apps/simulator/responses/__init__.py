"""OpenAI's responses protocol, as a provider speaks it."""
