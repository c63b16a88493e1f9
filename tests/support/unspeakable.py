"""The exception of the reverse readers."""


class Unspeakable(Exception):
    """A recorded request asks for something that has no place at all in our vocabulary; the message says what."""
