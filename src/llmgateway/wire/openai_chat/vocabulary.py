"""What OpenAI's chat protocol has words for: all of our own vocabulary but what a few vendors have added to it."""

from llmgateway.domain.chat import REQUEST_FIELDS
from llmgateway.wire.vocabulary import Vocabulary

VOCABULARY = Vocabulary(
    fields=REQUEST_FIELDS - {"effort", "image_config", "sensitive_word_check"},
    rare=frozenset(("reasoning_max_tokens",)),
    quirks={
        "reasoning_object": frozenset(("reasoning_max_tokens",)),
        "searches": frozenset(("web_search",)),
        "effort": frozenset(("effort",)),
        "image_config": frozenset(("image_config",)),
        "sensitive_word_check": frozenset(("sensitive_word_check",)),
    },
    is_open=True,
)
