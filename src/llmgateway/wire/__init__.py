"""Codecs: one per wire protocol, bytes to domain values and back, without I/O."""
