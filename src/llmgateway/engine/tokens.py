"""Token estimates, for context checks before a request and for answers whose provider reports no usage.

A rough rule on the request path: about four characters of text to a token, four tokens around each message.
"""

from typing import Final

_CHARACTERS_PER_TOKEN: Final = 4
_PER_MESSAGE: Final = 4


def estimate_text(characters: int) -> int:
    """Tokens of a text of so many characters."""
    return -(-characters // _CHARACTERS_PER_TOKEN)


def estimate_prompt(characters: int, *, messages: int) -> int:
    """Tokens of a prompt: all texts, tools and arguments together, plus what wraps each message."""
    return estimate_text(characters) + messages * _PER_MESSAGE
