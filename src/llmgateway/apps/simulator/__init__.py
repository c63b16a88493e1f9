"""Faithful mock providers for tests, demos, load and chaos: as a server of their own, or inside the gateway."""
