"""What the transport allows itself and its peers: sizes, counts and times, as one value."""

import msgspec


class TransportLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of pools, heads, buffers and waiting.

    `unread_bytes`: received and not yet read; above it the socket is no longer read. `release_*`: what a released
    answer may still take to end cleanly. `tick_s`: how often deadlines are looked at, and so their precision.
    `stagger_s`: how long one address of a host is tried alone before the next one is tried beside it.
    """

    connections_per_origin: int = 1000
    waiting_per_origin: int = 1000
    idle_per_origin: int = 100
    origins: int = 1024
    idle_s: float = 60
    head_bytes: int = 64 * 1024
    header_count: int = 200
    unread_bytes: int = 256 * 1024
    release_s: float = 1
    release_bytes: int = 16 * 1024
    tick_s: float = 0.1
    stagger_s: float = 0.25


DEFAULT_LIMITS = TransportLimits()
