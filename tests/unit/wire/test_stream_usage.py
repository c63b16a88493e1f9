"""Usage that comes in several events of one stream."""

from llmgateway.wire.openai_chat.stream import ChatDecoder
from tests.support.fakes import candidates


def told(*usages: str) -> tuple[int, int, int, int]:
    decoder = ChatDecoder(to=candidates("one").deployments[0])
    found = None
    for usage in usages:
        for chunk in decoder.feed(b'data: {"choices":[],"usage":%b}\n\n' % usage.encode()):
            found = chunk.usage or found
    assert found is not None
    return found.prompt_tokens, found.cached_tokens, found.output_tokens, found.reasoning_tokens


def test_the_last_value_counts_and_nothing_is_summed() -> None:
    first, last = '{"prompt_tokens":5,"completion_tokens":1}', '{"prompt_tokens":5,"completion_tokens":9}'
    assert told(first, last) == (5, 0, 9, 0)


def test_an_absent_figure_keeps_its_last_value() -> None:
    first = '{"prompt_tokens":50,"prompt_tokens_details":{"cached_tokens":40}}'
    later = '{"completion_tokens":7,"completion_tokens_details":{"reasoning_tokens":3}}'
    assert told(first, later) == (50, 40, 7, 3)


def test_a_zero_is_a_value() -> None:
    first = '{"prompt_tokens":50,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":40}}'
    assert told(first, '{"prompt_tokens_details":{"cached_tokens":0}}') == (50, 0, 3, 0)
