"""What each fault must look like on the wire: one check per row of the table, for the tests on real sockets."""

import gzip
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import msgspec
import pytest

from llmgateway.apps.simulator.openai_chat.faults import REFUSALS
from tests.unit.apps.simulator.raw_http import (
    DONE,
    NOW,
    RawAnswer,
    contents,
    finishes,
    healthy,
    tool_calls,
    tool_deltas,
)

CANARY = "sk-canary-0123456789"
Check = Callable[[RawAnswer, bool], None]


def ended(ending: str, *, status: int = 200) -> Check:
    def check(answer: RawAnswer, streamed: bool) -> None:
        assert (answer.ending, answer.status) == (ending, status)

    return check


def broke_off(ending: str) -> Check:
    """Four events, or half of the body, and then the ending."""

    def check(answer: RawAnswer, streamed: bool) -> None:
        assert (answer.ending, answer.status) == (ending, 200)
        if streamed:
            assert len(answer.events) == 4
            assert len(contents(answer)) == 3
        else:
            assert b'"role":"assistant"' in answer.body
            with pytest.raises(msgspec.DecodeError):
                msgspec.json.decode(answer.body)

    return check


def refused(name: str) -> Check:
    row = REFUSALS[name]

    def check(answer: RawAnswer, streamed: bool) -> None:
        assert (answer.ending, answer.status) == ("end", row.status)
        assert answer.headers["content-type"] == "application/json"
        error = (answer.json[0] if name == "400-array" else answer.json)["error"]
        assert (error["type"], error["code"], error["param"]) == (row.kind, row.code, row.param)
        retry = {key: value for key, value in answer.headers.items() if key.startswith("retry-after")}
        date = formatdate(NOW + 2, usegmt=True)
        told = {
            "429-seconds": {"retry-after": "2"},
            "429-date": {"retry-after": date},
            "429-ms": {"retry-after-ms": "2000"},
        }
        assert retry == told.get(name, {})
        assert (CANARY in error["message"]) == name.startswith("key-echo")

    return check


def error_event(answer: RawAnswer, streamed: bool) -> None:
    assert (answer.ending, answer.status) == ("end", 200)
    if streamed:
        assert DONE not in answer.frames
        assert len(answer.events) == 5
        assert [("error" in event) for event in answer.events] == [False, False, False, False, True]
    else:
        assert list(answer.json) == ["error"]


def key_echo_event(answer: RawAnswer, streamed: bool) -> None:
    error_event(answer, streamed)
    assert CANARY in answer.body.decode()


def slow_body(answer: RawAnswer, streamed: bool) -> None:
    healthy(answer)


def content_length_long(answer: RawAnswer, streamed: bool) -> None:
    assert (answer.ending, answer.status) == ("closed", 200)
    assert int(answer.headers["content-length"]) == len(answer.body) + 100


def content_length_short(answer: RawAnswer, streamed: bool) -> None:
    assert int(answer.headers["content-length"]) == len(answer.body)
    if streamed:
        assert not answer.body.endswith(DONE + b"\n\n")
    else:
        with pytest.raises(msgspec.DecodeError):
            msgspec.json.decode(answer.body)


def gzipped(*, announced: bool) -> Check:
    def check(answer: RawAnswer, streamed: bool) -> None:
        assert answer.headers.get("content-encoding") == ("gzip" if announced else None)
        plain = gzip.decompress(answer.body)
        assert plain.endswith(DONE + b"\n\n") if streamed else msgspec.json.decode(plain)["choices"]

    return check


def wrong_content_type(answer: RawAnswer, streamed: bool) -> None:
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.body.endswith(DONE + b"\n\n") if streamed else answer.json["choices"]


def byte_split(answer: RawAnswer, streamed: bool) -> None:
    healthy(answer)
    if streamed:
        assert {len(chunk) for chunk in answer.chunks} == {1}


def utf8_split(answer: RawAnswer, streamed: bool) -> None:
    healthy(answer)
    text = "".join(contents(answer)) if streamed else answer.json["choices"][0]["message"]["content"]
    assert "你好" in text
    if streamed:
        starts = [chunk for chunk in answer.chunks if chunk[-1] >= 0xC0]
        assert len(starts) == sum(len(char.encode()) > 1 for char in text)


def huge_chunk(answer: RawAnswer, streamed: bool) -> None:
    healthy(answer)
    assert len(answer.chunks) == 1
    assert len(answer.body) > 10 * 1024 * 1024


def huge_event(answer: RawAnswer, streamed: bool) -> None:
    healthy(answer)
    if streamed:
        assert max(map(len, contents(answer))) == 5 * 1024 * 1024
    else:
        assert len(answer.json["choices"][0]["message"]["content"]) == 5 * 1024 * 1024


def crlf(answer: RawAnswer, streamed: bool) -> None:
    if streamed:
        assert answer.body.count(b"\n") == answer.body.count(b"\r\n") > 4
        answer.body = answer.body.replace(b"\r\n", b"\n")
    healthy(answer)


def bom(answer: RawAnswer, streamed: bool) -> None:
    assert answer.body.startswith(b"\xef\xbb\xbf")
    answer.body = answer.body[3:]
    healthy(answer)


def comments(answer: RawAnswer, streamed: bool) -> None:
    if streamed:
        lines = answer.body.split(b"\n")
        for start in (b": ", b"event: ", b"id: ", b"retry: "):
            assert sum(line.startswith(start) for line in lines) == sum(line.startswith(b"data: ") for line in lines)
        answer.body = b"\n\n".join([line for line in lines if line.startswith(b"data: ")])
    healthy(answer)


def bad_crc(answer: RawAnswer, streamed: bool) -> None:
    healthy(answer)


def multi_line_data(answer: RawAnswer, streamed: bool) -> None:
    if streamed:
        events = [frame.split(b"\n") for frame in answer.frames]
        assert all(len(lines) == 3 and all(line.startswith(b"data:") for line in lines) for lines in events[:-1])
        joined = [b"data: " + b"\n".join([line[5:].removeprefix(b" ") for line in lines]) for lines in events]
        answer.body = b"\n\n".join(joined)
    else:
        assert answer.body.count(b"\n") == 2
    healthy(answer)


def no_last_blank_line(answer: RawAnswer, streamed: bool) -> None:
    healthy(answer)
    assert not streamed or answer.body.endswith(DONE)


def leading_space(answer: RawAnswer, streamed: bool) -> None:
    healthy(answer)
    assert streamed or (answer.body[0:1].isspace() and answer.body[-1:].isspace())


def malformed_json(answer: RawAnswer, streamed: bool) -> None:
    assert answer.ending == "end"
    if not streamed:
        with pytest.raises(msgspec.DecodeError):
            msgspec.json.decode(answer.body)
        return
    broken: list[int] = []
    for position, frame in enumerate(answer.frames[:-1]):
        try:
            msgspec.json.decode(frame.removeprefix(b"data: "))
        except msgspec.DecodeError:
            broken.append(position)
    assert broken == [4]
    assert answer.frames[-1] == DONE


def empty_body(answer: RawAnswer, streamed: bool) -> None:
    assert (answer.ending, answer.status, answer.body) == ("end", 200, b"")


def html_502(answer: RawAnswer, streamed: bool) -> None:
    assert (answer.status, answer.headers["content-type"]) == (502, "text/html")
    assert b"<html>" in answer.body


def no_finish(answer: RawAnswer, streamed: bool) -> None:
    if streamed:
        assert finishes(answer) == []
        assert contents(answer)
        assert answer.frames[-1] == DONE
    else:
        assert answer.json["choices"][0]["finish_reason"] is None


def no_done(answer: RawAnswer, streamed: bool) -> None:
    assert DONE not in answer.frames
    answer.body += DONE if streamed else b""
    healthy(answer)


def empty_choices(answer: RawAnswer, streamed: bool) -> None:
    assert answer.ending == "end"
    if streamed:
        assert [event["choices"] for event in answer.events] == [[]]
        assert answer.frames[-1] == DONE
    else:
        assert (answer.json["choices"], answer.json["usage"]["completion_tokens"]) == ([], 0)


def empty_message(answer: RawAnswer, streamed: bool) -> None:
    if streamed:
        assert (contents(answer), finishes(answer)) == ([], ["stop"])
        assert answer.events[-1]["usage"]["completion_tokens"] == 0
    else:
        choice = answer.json["choices"][0]
        assert (choice["message"]["content"], choice["finish_reason"]) == (None, "stop")
        assert answer.json["usage"]["completion_tokens"] == 0


def json_array(answer: RawAnswer, streamed: bool) -> None:
    values: list[Any] = [*answer.events] if streamed else [answer.json]
    assert all(isinstance(value, list) and len(value) == 1 for value in values)


def no_usage(answer: RawAnswer, streamed: bool) -> None:
    for value in answer.events if streamed else [answer.json]:
        assert value.get("usage") is None
    assert finishes(answer) if streamed else answer.json["choices"][0]["finish_reason"]


def role_every_chunk(answer: RawAnswer, streamed: bool) -> None:
    healthy(answer)
    if streamed:
        choices = [choice for event in answer.events for choice in event["choices"]]
        assert all(choice["delta"]["role"] == "assistant" for choice in choices)


def usage_every_chunk(answer: RawAnswer, streamed: bool) -> None:
    healthy(answer)
    if streamed:
        counts = [event["usage"]["completion_tokens"] for event in answer.events]
        assert counts == sorted(counts)
        assert counts[0] == 0


def changing_id(answer: RawAnswer, streamed: bool) -> None:
    healthy(answer)
    if streamed:
        assert answer.events[0]["id"] == ""
        for field in ("id", "created", "model"):
            assert len({event[field] for event in answer.events}) == len(answer.events)


def duplicate_finish(answer: RawAnswer, streamed: bool) -> None:
    healthy(answer)
    assert not streamed or finishes(answer) == ["stop", "stop"]


def content_parts(answer: RawAnswer, streamed: bool) -> None:
    healthy(answer)
    found = contents(answer) if streamed else [answer.json["choices"][0]["message"]["content"]]
    assert found
    assert all(parts[0]["type"] == "text" for parts in found)


def tool_no_index(answer: RawAnswer, streamed: bool) -> None:
    healthy(answer)
    if streamed:
        assert tool_deltas(answer)
        assert not any("index" in call for call in tool_deltas(answer))


def tool_no_id(answer: RawAnswer, streamed: bool) -> None:
    healthy(answer)
    calls = tool_deltas(answer) if streamed else tool_calls(answer)
    assert calls
    assert not any("id" in call for call in calls)


def tool_repeated(answer: RawAnswer, streamed: bool) -> None:
    healthy(answer)
    if streamed:
        deltas = tool_deltas(answer)
        assert len(deltas) > 1
        assert {(call["id"], call["type"], call["function"]["name"]) for call in deltas} == {
            (deltas[0]["id"], "function", "get_weather")
        }


def tool_arguments(expected: object) -> Check:
    def check(answer: RawAnswer, streamed: bool) -> None:
        healthy(answer)
        calls = tool_deltas(answer) if streamed else tool_calls(answer)
        assert [call["function"]["arguments"] for call in calls] == [expected]

    return check


def tool_interleaved(answer: RawAnswer, streamed: bool) -> None:
    healthy(answer)
    if not streamed:
        assert len(tool_calls(answer)) == 2
        return
    order = [call["index"] for call in tool_deltas(answer)]
    assert order[:4] == [0, 1, 0, 1]
    for index in (0, 1):
        parts = [call["function"]["arguments"] for call in tool_deltas(answer) if call["index"] == index]
        assert "city" in msgspec.json.decode("".join(parts))


def tool_finish_stop(answer: RawAnswer, streamed: bool) -> None:
    healthy(answer)
    assert tool_deltas(answer) if streamed else tool_calls(answer)
    assert (finishes(answer) if streamed else [answer.json["choices"][0]["finish_reason"]]) == ["stop"]


CHECKS: dict[str, Check] = {
    "connect-refused": ended("reset", status=0),
    "reset": ended("reset", status=0),
    "reset-mid": broke_off("reset"),
    "stall-headers": ended("silence", status=0),
    "stall-mid": broke_off("silence"),
    "cut": broke_off("closed"),
    "slow-body": slow_body,
    "content-length-long": content_length_long,
    "content-length-short": content_length_short,
    "gzip": gzipped(announced=True),
    "gzip-unannounced": gzipped(announced=False),
    "wrong-content-type": wrong_content_type,
    "byte-split": byte_split,
    "utf8-split": utf8_split,
    "huge-chunk": huge_chunk,
    "huge-event": huge_event,
    "crlf": crlf,
    "bom": bom,
    "comments": comments,
    "bad-crc": bad_crc,
    "multi-line-data": multi_line_data,
    "no-last-blank-line": no_last_blank_line,
    "leading-space": leading_space,
    "malformed-json": malformed_json,
    "empty-body": empty_body,
    "html-502": html_502,
    "error-event": error_event,
    "key-echo-event": key_echo_event,
    "no-finish": no_finish,
    "no-done": no_done,
    "empty-choices": empty_choices,
    "empty-message": empty_message,
    "json-array": json_array,
    "no-usage": no_usage,
    "role-every-chunk": role_every_chunk,
    "usage-every-chunk": usage_every_chunk,
    "changing-id": changing_id,
    "duplicate-finish": duplicate_finish,
    "content-parts": content_parts,
    "tool-no-index": tool_no_index,
    "tool-no-id": tool_no_id,
    "tool-repeated": tool_repeated,
    "tool-object-arguments": tool_arguments({"city": "Paris"}),
    "tool-empty-arguments": tool_arguments(""),
    "tool-invalid-arguments": tool_arguments('{"city": "Par'),
    "tool-interleaved": tool_interleaved,
    "tool-finish-stop": tool_finish_stop,
} | {name: refused(name) for name in REFUSALS if name not in ("error-event", "key-echo-event")}
