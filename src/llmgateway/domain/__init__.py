"""Values only: what a chat, an answer, a price, a route and a record are. No I/O, no async; stdlib and msgspec."""
