"""Every recorded request is accepted, and reaches an OpenAI-compatible provider with its meaning and its bytes."""

import json
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from llmgateway.catalog.lookup import load
from llmgateway.domain.errors import GatewayError
from llmgateway.domain.routing import Credential, Deployment, Mapping, Origin, Provider
from llmgateway.wire.openai_chat.build import build_request
from llmgateway.wire.openai_chat.request import read_request
from llmgateway.wire.params import compile_parameters
from llmgateway.wire.quirks import quirks_for
from tests.support.corpus import Recording, chats, needs_corpora
from tests.wire.dialects import in_our_words

pytestmark = needs_corpora
ASKED = [recording for recording in chats() if recording.request is not None]
CUSTOM = Provider(id="custom", custom=True, any_model=True, unknown_fields="pass", quirks=("reasoning_object",))
CONSUMED = {"models", "usage", "include_reasoning", "provider", "transforms", "route", "reasoningText"}


def deployment(provider: Provider, model: str) -> Deployment:
    mapping = Mapping(provider=provider.id, model=model, upstream=model)
    return Deployment(
        provider=provider, mapping=mapping, protocol="openai-chat", region=None, head=b"", head_stream=b"",
        used_model=model,
        credential=Credential(provider=provider.id, secret="s", fingerprint="f"), origin=Origin("https", "h", 443),
        parameters=compile_parameters(provider, mapping),
    )  # fmt: skip


def spoken(recording: Recording) -> bytes:
    """The recorded bytes, or where a vendor's dialect must be put in our words, those."""
    assert recording.request is not None
    assert recording.request_body is not None
    ours = in_our_words(recording.request)
    return recording.request_body if ours == recording.request else json.dumps(ours).encode()


def expected(request: dict[str, Any]) -> dict[str, Any]:
    """What documented changes make of a request that goes to a row taking everything."""
    sent = {name: value for name, value in request.items() if value is not None and name not in CONSUMED}
    for name in ("tools", "stop", "functions"):
        if sent.get(name) == []:
            del sent[name]
    if sent.get("max_completion_tokens") is not None:
        sent.pop("max_tokens", None)
    sent.pop("stream_options", None)
    if sent.get("stream"):
        given = request.get("stream_options") or {}
        sent["stream_options"] = {"include_usage": True}
        if given.get("include_obfuscation") is False:
            sent["stream_options"]["include_obfuscation"] = False
    sent["messages"] = [expected_message(message) for message in request["messages"]]
    return sent


def expected_message(message: dict[str, Any]) -> dict[str, Any]:
    if message["role"] in ("system", "developer", "user") and message.get("content") is None:
        return {**message, "content": ""}
    return message


def test_every_request_is_accepted_unless_its_provider_refused_it() -> None:
    refused: dict[str, str] = {}
    for recording in ASKED:
        try:
            read_request(spoken(recording))
        except GatewayError as error:
            if recording.status < 400:
                refused[recording.source] = f"{error.param}: {error.message}"
    assert refused == {}


def test_every_request_keeps_its_meaning() -> None:
    """JSON equal but for the model, the stream options and what is documented; nothing is left out."""
    compared = 0
    for recording in ASKED:
        body = spoken(recording)
        try:
            chat = read_request(body)
        except GatewayError:
            continue
        request, dropped = build_request(chat, to=deployment(CUSTOM, chat.request.model))
        sent, want = json.loads(request.body), expected(json.loads(body.decode("utf-8", "surrogatepass")))
        assert sent == want, recording.source
        assert dropped == (), recording.source
        compared += 1
    assert compared > 750


def test_every_span_that_need_not_change_keeps_its_bytes_and_place() -> None:
    """Provider-side prompt caches see the same prefix from turn to turn."""
    for recording in ASKED:
        body = spoken(recording)
        try:
            chat = read_request(body)
        except GatewayError:
            continue
        given = msgspec.json.decode(body, type=dict[str, Raw])
        request, _ = build_request(chat, to=deployment(CUSTOM, chat.request.model))
        sent = msgspec.json.decode(request.body, type=dict[str, Raw])
        rebuilt = {"model", "stream_options", *(("messages",) if chat.traits.rebuild else ())}
        for name, span in sent.items():
            if name in given and name not in rebuilt:
                assert bytes(span) == bytes(given[name]), (recording.source, name)
        kept = [name for name in sent if name in given and name not in ("stream_options", "tools", "reasoning")]
        assert kept == [name for name in given if name in kept], recording.source


def catalogue_rows() -> dict[str, Provider]:
    names = {"zai": "zai", "alibaba": "alibaba", "vercel-gateway": "vercel"}
    rows = load().providers
    wanted = {recording.provider for recording in ASKED}
    found = {name: rows.get(names.get(name, name)) for name in wanted}
    return {name: row for name, row in found.items() if row is not None and row.protocol == "openai-chat"}


def test_the_catalogue_rows_leave_out_only_what_they_list() -> None:
    """For the real rows: what is not sent is named, what is sent means the same."""
    rows = catalogue_rows()
    assert len(rows) >= 8, sorted(rows)
    lost: dict[str, object] = {}
    for recording in ASKED:
        row = rows.get(recording.provider)
        if row is None or recording.status != 200:
            continue
        chat = read_request(spoken(recording))
        row = msgspec.structs.replace(row, quirks=quirks_for(row.quirks, chat.request.model))
        request, dropped = build_request(chat, to=deployment(row, chat.request.model))
        sent, want = json.loads(request.body), expected(json.loads(spoken(recording)))
        if "tool_choice_any" in row.quirks and want.get("tool_choice") == "required":
            want["tool_choice"] = "any"
        renamed = {**{name: name for name in want}, **row.parameters.rename}
        changed = set(row.parameters.clamp) | set(row.parameters.force) | {"messages", "reasoning"}
        missing = [
            name
            for name, value in want.items()
            if name not in changed and name not in dropped and sent.get(renamed[name]) != value
        ]
        if "stream_options" in missing and "no_stream_options" in row.quirks:
            missing.remove("stream_options")
        if missing:
            lost[recording.source] = missing
    assert lost == {}


@pytest.mark.parametrize("text", [b'"\\ud83d"', b'"a\\udc00b"'])
def test_halves_of_characters_in_a_request_are_replaced(text: bytes) -> None:
    chat = read_request(b'{"model":"m","messages":[{"role":"user","content":%b}]}' % text)
    request, _ = build_request(chat, to=deployment(CUSTOM, "m"))
    assert "\ufffd" in json.loads(request.body)["messages"][0]["content"]
