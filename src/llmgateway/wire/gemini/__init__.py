"""Google's generateContent protocol as an upstream: AI Studio and Vertex."""
