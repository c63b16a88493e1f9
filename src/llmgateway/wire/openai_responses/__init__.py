"""The OpenAI responses protocol as an upstream: items instead of messages, typed events instead of deltas."""
