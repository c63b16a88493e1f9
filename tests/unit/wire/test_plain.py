"""Runs of plain events: read as the decoding lane reads them one by one, and never more than is there."""

import json

import pytest

from llmgateway.domain.reply import Wire
from llmgateway.wire.openai_chat.plain import read_plain

ONE = b'[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}'
REST = b'[{"index":0,"delta":{"content":"b","role":"assistant"},"logprobs":null,"finish_reason":null}],"usage":null}'


OPENING = b'data: {"id":"x","choices":'


def read(events: list[bytes]) -> tuple[int, Wire | None]:
    """How many events were taken, instead of how many bytes."""
    data = b"".join([OPENING + event + b"\n\n" for event in events])
    taken, told = read_plain(data, opening=OPENING)
    assert data[:taken].endswith(b"\n\n") or not taken
    return data.count(b"\n\n", 0, taken), told


def texts(tails: list[bytes]) -> list[str]:
    return [json.loads(b'{"choices":' + tail)["choices"][0]["delta"]["content"] for tail in tails]


def test_a_run_is_read_whole() -> None:
    taken, told = read([ONE, REST, ONE])
    assert taken == 3
    assert told is not None
    assert texts(told.tails) == ["a", "b", "a"]
    assert told.content_bytes == 3
    assert b"role" not in b"".join(told.tails)


@pytest.mark.parametrize(
    "other",
    [
        b'[{"index":0,"delta":{},"finish_reason":"stop"}]}',
        b'[{"index":1,"delta":{"content":"a"},"finish_reason":null}]}',
        b'[{"index":0,"delta":{"content":"a","tool_calls":[]},"finish_reason":null}]}',
        b'[{"index":0,"delta":{"content":null},"finish_reason":null}]}',
        b'[{"index":0,"delta":{"content":"a"}}],"usage":{"prompt_tokens":1}}',
        b'[{"index":0,"delta":{"content":"a"}}],"error":{"message":"x"}}',
        b"[]}",
        b'\n[{"index":0,"delta":{"content":"a"}}]}',
    ],
)
def test_the_first_event_that_is_more_than_text_ends_it(other: bytes) -> None:
    taken, told = read([ONE, REST, other, ONE])
    assert taken == 2
    assert told is not None
    assert texts(told.tails) == ["a", "b"]
    assert read([other, ONE]) == (0, None)


@pytest.mark.parametrize(
    "broken",
    [
        b'[{"index":0,"delta":{"content":"a',
        b'[{"index":0,"delta":{"content":"a"}}',
        b'[{"index":0,"delta":{"content":"a"}}]},{"choices":[{"delta":{"content":"smuggled"}}]}',
        b'[{"index":0,"delta":{"content":"\xff"}}]}',
        b'[{"index":0,"delta":{"content":"\\ud83d"}}]}',
        b'b"}}]}',
        b"",
    ],
)
def test_what_is_no_event_is_left_to_be_read_alone(broken: bytes) -> None:
    """Joined with its neighbours it must not become one."""
    taken, told = read([ONE, broken, REST])
    assert taken <= 1
    assert told is None or texts(told.tails) == ["a"]


def test_events_without_text_tell_nothing() -> None:
    assert read([b'[{"index":0,"delta":{"content":""},"finish_reason":null}]}']) == (1, None)


def test_what_is_behind_the_events_is_left() -> None:
    data = OPENING + ONE + b"\n\n"
    for rest in (b"data: [DONE]\n\n", b": comment\n\n", OPENING + ONE[:10], b"data: {}\n\n" + data):
        taken, told = read_plain(data + rest, opening=OPENING)
        assert taken == len(data)
        assert told is not None
        assert texts(told.tails) == ["a"]
    assert read_plain(OPENING + ONE, opening=OPENING) == (0, None)
