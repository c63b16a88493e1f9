"""Plays recorded bytes to Google's codec, and tells a client what comes of it with the encoder of all answers."""

import re

from llmgateway.domain.chat import Chat
from llmgateway.domain.reply import Chunk
from llmgateway.domain.routing import Deployment
from llmgateway.wire.gemini.upstream import Gemini
from llmgateway.wire.openai_chat.account import usage_json
from llmgateway.wire.openai_chat.encode import StreamEncoder, whole_answer
from llmgateway.wire.openai_chat.request import read_request
from tests.support.corpus import Recording, recordings
from tests.support.independent_chat_reader import Answer
from tests.unit.wire.deployments import deployment
from tests.wire.playback import Split, in_one_piece
from tests.wire.told import events_of, read_told_stream, read_told_whole

CHAT = read_request(b'{"model":"m","messages":[{"role":"user","content":"x"}],"web_search":true}')
STREAMED = read_request(b'{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true}')
"""Plain text is told in runs where the caller wants a stream, and no place in it."""
UNSTREAMED = read_request(b'{"model":"m","messages":[{"role":"user","content":"x"}]}')
TO = deployment()
_PATH = re.compile(r":(?:stream)?[gG]enerateContent$")


def answers() -> list[Recording]:
    """Every recorded exchange of the protocol, refusals included."""
    return [one for one in recordings() if one.provider in ("google", "vertex") and _PATH.search(one.path)]


def decoded(body: bytes, *, split: Split = in_one_piece, chat: Chat = CHAT, to: Deployment = TO) -> list[Chunk]:
    decoder = Gemini().decoder(chat=chat, to=to)
    chunks = [chunk for piece in split(body) for chunk in decoder.feed(piece)]
    return chunks + decoder.close()


def told_stream(chunks: list[Chunk]) -> Answer:
    """What a client of a stream understands; every invariant of streams is checked on the way."""
    encoder = StreamEncoder(fallback_id="i", created=1, model="m", naive=False, hide_reasoning=False)
    for chunk in chunks:
        if chunk.error is not None:
            raise chunk.error
    out = encoder.feed(chunks)
    answer = read_told_stream(events_of(out + encoder.final(usage=_usage(chunks), metadata=b"{}", extra=None)))
    return _named(answer, chunks)


def told_whole(chunk: Chunk) -> Answer:
    body = whole_answer(
        chunk,
        answer_id=chunk.id or "i",
        created=1,
        model="m",
        usage=_usage([chunk]),
        metadata=b"{}",
        hide_reasoning=False,
    )
    return _named(read_told_whole(body), [chunk])


def _named(answer: Answer, chunks: list[Chunk]) -> Answer:
    answer.model = next((chunk.reported_model for chunk in chunks if chunk.reported_model), None)
    if all(chunk.usage is None for chunk in chunks):
        answer.tokens = None
    return answer


def _usage(chunks: list[Chunk]) -> bytes:
    reported = [chunk.usage for chunk in chunks if chunk.usage is not None]
    if not reported:
        return (
            b'{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0,"reasoning_tokens":0,'
            b'"prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":0,"audio_tokens":0},'
            b'"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}'
        )
    return usage_json(reported[-1], None)
