"""The request's life, from a body to a settled record; knows ports, not implementations."""
