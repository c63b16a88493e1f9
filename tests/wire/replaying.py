"""Asks the gateway for a recording's answer, in one form or another, and compares what it tells with the recording."""

from typing import Any

from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from tests.support.corpus import Recording
from tests.support.independent_chat_reader import Answer, Refusal, read_refusal, read_stream, read_whole
from tests.wire.comparison import differences
from tests.wire.playback import Client, Playback, Split, in_form, in_one_piece, request_for, uses_functions
from tests.wire.told import events_of, read_told_stream, read_told_whole

_EVENT_STREAM = b"text/event-stream"


def held(recording: Recording) -> Answer:
    """What a recorded 200 of the chat protocol holds, by the independent reader."""
    read = read_stream if recording.streamed else read_whole
    return read(recording.body, functions=uses_functions(recording))


def played(
    playback: Playback,
    recording: Recording,
    *,
    streamed: bool | None = None,
    body: bytes | None = None,
    split: Split = in_one_piece,
    request: dict[str, Any] | None = None,
) -> Client:
    """One exchange. `streamed`: the form the client asks for, as recorded if it is None. `request`: what is asked,
    the recorded chat request if it is None."""
    asked = recording.streamed if streamed is None else streamed
    return playback.ask(
        request_for(recording, streamed=asked) if request is None else in_form(request, streamed=asked),
        status=recording.status,
        headers=recording.headers,
        body=recording.body if body is None else body,
        split=split,
    )


def told(client: Client) -> Answer:
    """What a client understood; an error body is an answer without choices."""
    if client.begun:
        return read_told_stream(events_of(client.streamed))
    if client.status == 200:
        return read_told_whole(client.body)
    return Answer(error=client.error)


def mistakes(playback: Playback, recording: Recording, client: Client) -> list[str]:
    """Everything in which the telling, or the record of it, is not what was recorded."""
    if recording.status != 200:
        return misread_refusal(read_refusal(recording.status, recording.body), client)
    return misread(held(recording), playback, client)


def misread(want: Answer, playback: Playback, client: Client) -> list[str]:
    try:
        got = told(client)
    except AssertionError as broken:
        return [f"an invariant of streams is broken: {broken}"]
    row = playback.ledger.records[0].exchange
    if want.error is not None or want.broken or not want.finished or want.empty:
        found = [] if got.error is not None else [f"a failure was told as success: {want.error or want.broken}"]
        return found + ([] if row.error_code else ["the record does not tell the error"])
    if got.error is not None:
        return [f"an answer was told as an error: {got.error}"]
    found = differences(want, got)
    finish = list(want.choices.values())[-1].finish
    if (row.status, row.finish_reason, row.error_code) != (200, finish, None) and len(want.choices) == 1:
        found.append(f"the record says {row.status}, {row.finish_reason}, {row.error_code}, not {finish}")
    if want.tokens is not None:
        tokens = want.tokens
        counted = (row.prompt_tokens, row.completion_tokens, row.cached_tokens, row.reasoning_tokens)
        if counted != (tokens.prompt, tokens.completion, tokens.cached, tokens.reasoning):
            found.append(f"the record counts {counted}, not {tokens}")
    return found


def misread_refusal(want: Refusal, client: Client) -> list[str]:
    error, found = client.error, list[str]()
    if (client.status, error["code"]) != (want.status, want.code):
        found.append(f"told {client.status} {error['code']}, not {want.status} {want.code}")
    if want.retry_after is not None and (b"retry-after", b"%d" % want.retry_after) not in client.headers:
        found.append(f"told no retry-after of {want.retry_after} s: {client.headers}")
    if want.relayed and want.relayed[:300] not in error["message"]:
        found.append(f"the provider's words are missing: {error['message']}")
    if want.hidden and want.hidden in error["message"]:
        found.append(f"words that may hold a key were relayed: {error['message']}")
    return found


def understood_by_sdk(client: Client) -> Answer:
    """What the official SDK's accumulator makes of a stream."""
    state = ChatCompletionStreamState()
    for event in events_of(client.streamed):
        state.handle_chunk(ChatCompletionChunk.construct(**event))
    return read_whole(state.current_completion_snapshot.to_json().encode())
