"""The Anthropic messages protocol as an upstream: Anthropic, Claude at Vertex and Azure, others who speak it."""
