"""URLs in messages: checked by their look, and fetched only for providers that take nothing but bytes."""

import base64
from typing import Any

import msgspec
import pytest

from llmgateway.domain.chat import Chat, Part
from llmgateway.domain.errors import INVALID_VALUE, GatewayError
from llmgateway.domain.routing import Deployment, Protocol
from llmgateway.engine.media import check_media, inlined
from llmgateway.wire.openai_chat.request import read_request
from tests.support.fakes import FakeFetcher, candidates, offer, provider, request_body, snapshot

URL, OTHER = "https://example.com/a.png", "https://example.com/b.png"
MIB = 1024 * 1024


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, "detail": "low"}, "x-unknown": [1.50]}


def asking(*parts: dict[str, Any], before: tuple[dict[str, Any], ...] = ()) -> Chat:
    return read_request(request_body(messages=[*before, {"role": "user", "content": list(parts)}], seed=7))


async def sent(chat: Chat, fetcher: FakeFetcher, *, quirks: tuple[str, ...] = ("inline_media",)) -> Chat:
    return await inlined(chat, to=candidates("acme", quirks=quirks).deployments[0], fetcher=fetcher)


def refused(chat: Chat, fetcher: FakeFetcher | None = None) -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        check_media(chat, fetcher=fetcher or FakeFetcher())
    assert raised.value.kind is INVALID_VALUE
    return raised.value


def test_every_url_is_looked_at_before_a_provider_sees_it() -> None:
    fetcher = FakeFetcher()
    check_media(asking(image(URL), {"type": "text", "text": "?"}, image(OTHER)), fetcher=fetcher)
    assert fetcher.checked == [URL, OTHER]


def test_the_refusal_names_the_part() -> None:
    chat = asking({"type": "text", "text": "?"}, image(URL), before=({"role": "system", "content": "Hi"},))
    assert refused(chat, FakeFetcher(refused=(URL,))).param == "messages[1].content[1].image_url.url"


@pytest.mark.parametrize(
    "url",
    ["data:image/png;base64,iVBORw0KGgo=", "data:image/png;base64,iVBORw0KGgo", "data:;base64,AAAA",
     "data:image/png;name=a.png;base64,AA=="],
)  # fmt: skip
def test_bytes_in_base64_are_taken_as_they_are(url: str) -> None:
    fetcher = FakeFetcher()
    check_media(asking(image(url)), fetcher=fetcher)
    assert fetcher.checked == []


@pytest.mark.parametrize(
    "url",
    ["data:", "data:,", "data:image/png;base64,", "data:image/png;base64,!!!!", "data:image/png;base64,AAAAA",
     "data:image/png;base64,AA=A", "data:image/png;base64,====", "data:image/png;base64,AAÄA", "data:image/png,AAAA",
     "data:image/png;base64,AAAA\nAAAA"],
)  # fmt: skip
def test_bytes_that_are_not_base64_are_refused(url: str) -> None:
    assert refused(asking(image(url))).param == "messages[0].content[0].image_url.url"


async def test_a_provider_that_takes_urls_gets_the_callers_own() -> None:
    chat, fetcher = asking(image(URL)), FakeFetcher()
    assert await sent(chat, fetcher, quirks=()) is chat
    assert fetcher.fetched == []


async def test_one_that_takes_only_bytes_gets_them_and_all_else_unchanged() -> None:
    chat = asking(image(URL), image("data:image/png;base64,AAAA"), before=({"role": "user", "content": "é"},))
    result = await sent(chat, FakeFetcher({URL: ("image/png", b"PNG")}))
    expected = msgspec.json.decode(chat.raw["messages"])
    expected[1]["content"][0]["image_url"]["url"] = f"data:image/png;base64,{base64.b64encode(b'PNG').decode()}"
    assert msgspec.json.decode(result.raw["messages"]) == expected
    assert bytes(result.raw["seed"]) == b"7"
    assert list(result.raw) == list(chat.raw)


async def test_the_chat_itself_stays_as_it_was_for_the_next_provider() -> None:
    chat = asking(image(URL))
    before = bytes(chat.raw["messages"])
    await sent(chat, FakeFetcher({URL: ("image/png", b"PNG")}))
    assert bytes(chat.raw["messages"]) == before


async def test_nothing_is_rebuilt_when_there_is_nothing_to_fetch() -> None:
    chat = asking(image("data:image/png;base64,AAAA"))
    assert await sent(chat, FakeFetcher()) is chat
    plain = asking({"type": "text", "text": "Hi"})
    assert await sent(plain, FakeFetcher()) is plain


async def test_an_image_that_cannot_be_had_is_the_callers_400() -> None:
    with pytest.raises(GatewayError) as raised:
        await sent(asking(image(URL)), FakeFetcher())
    assert raised.value.param == "messages[0].content[0].image_url.url"


async def test_more_than_twenty_images_are_not_fetched() -> None:
    fetcher = FakeFetcher()
    with pytest.raises(GatewayError) as raised:
        await sent(asking(*[image(URL)] * 21), fetcher)
    assert raised.value.param == "messages[0].content[20].image_url.url"
    assert fetcher.fetched == []


async def test_all_images_together_have_a_bound_not_only_each() -> None:
    fetcher = FakeFetcher({URL: ("image/png", b"x" * (20 * MIB)), OTHER: ("image/png", b"x" * (13 * MIB))})
    with pytest.raises(GatewayError) as raised:
        await sent(asking(image(URL), image(OTHER)), fetcher)
    assert raised.value.param == "messages[0].content[1].image_url.url"
    assert fetcher.fetched == [(URL, 20 * MIB), (OTHER, 12 * MIB)]


PDF = "https://example.com/a.pdf"


def document(data: str) -> dict[str, Any]:
    return {"type": "file", "file": {"filename": "a.pdf", "file_data": data}}


def to(protocol: Protocol = "openai-chat", **fields: Any) -> Deployment:
    row = provider(protocol=protocol, **fields)
    route = snapshot(offer(), providers=[row], protocols=frozenset({protocol})).route("gpt-x")
    assert route is not None
    return route.offers[0].deployments[0]


def agreeing(chat: Chat) -> list[Any]:
    """The parts of the last message as the typed view has them; the raw spans must say the same."""
    parts = chat.messages[-1].content
    assert isinstance(parts, list)
    raw = msgspec.convert(msgspec.json.decode(chat.raw["messages"])[-1]["content"], list[Part])
    assert raw == parts
    return parts


async def test_typed_view_and_raw_spans_say_the_same() -> None:
    chat = asking({"type": "text", "text": "?"}, image(URL), document(PDF), image(OTHER))
    fetcher = FakeFetcher({URL: ("image/png", b"A"), OTHER: ("image/gif", b"B"), PDF: ("application/pdf", b"C")})
    parts = agreeing(await inlined(chat, to=to(quirks=("inline_media",)), fetcher=fetcher))
    assert [part.image_url.url for part in parts if part.image_url] == [
        "data:image/png;base64,QQ==", "data:image/gif;base64,Qg=="
    ]  # fmt: skip
    assert [part.file.file_data for part in parts if part.file] == ["data:application/pdf;base64,Qw=="]
    assert parts[0].text == "?"
    assert parts[1].image_url.detail == "low"


@pytest.mark.parametrize(
    ("protocol", "fetched"),
    [
        ("openai-chat", [PDF]),
        ("openai-responses", []),
        ("anthropic", []),
        ("google", [URL, PDF]),
        ("bedrock", [URL, PDF]),
        ("cohere", [PDF]),
    ],
)
async def test_what_is_fetched_depends_on_what_the_protocol_can_name(protocol: Protocol, fetched: list[str]) -> None:
    fetcher = FakeFetcher({URL: ("image/png", b"A"), PDF: ("application/pdf", b"C")})
    agreeing(await inlined(asking(image(URL), document(PDF)), to=to(protocol), fetcher=fetcher))
    assert [url for url, _ in fetcher.fetched] == fetched


async def test_a_row_can_say_that_it_reads_files_itself() -> None:
    fetcher = FakeFetcher()
    await inlined(asking(document(PDF)), to=to(quirks=("file_urls",)), fetcher=fetcher)
    assert fetcher.fetched == []


@pytest.mark.parametrize(
    ("url", "protocol"),
    [
        ("gs://bucket/a.png", "google"),
        ("https://www.youtube.com/watch?v=1", "google"),
        ("https://generativelanguage.googleapis.com/v1beta/files/a", "google"),
        ("s3://bucket/a.png", "bedrock"),
    ],
)
async def test_what_only_the_provider_can_read_is_left_to_it_and_to_nobody_else(url: str, protocol: Protocol) -> None:
    chat, fetcher = asking(image(url)), FakeFetcher()
    check_media(chat, fetcher=fetcher, to=[to(protocol)])
    assert fetcher.checked == []
    assert await inlined(chat, to=to(protocol), fetcher=fetcher) is chat
    other: Protocol = "bedrock" if protocol == "google" else "google"
    check_media(chat, fetcher=fetcher, to=[to(other)])
    assert fetcher.checked == [url]
    with pytest.raises(GatewayError):
        await inlined(chat, to=to(other), fetcher=fetcher)


def test_the_url_of_a_file_is_looked_at_and_named() -> None:
    fetcher = FakeFetcher()
    inline = [document("JVBERi0="), document("data:application/pdf;base64,AA")]
    check_media(asking(document(PDF), *inline), fetcher=fetcher)
    assert fetcher.checked == [PDF]
    error = refused(asking(document(PDF)), FakeFetcher(refused=(PDF,)))
    assert error.param == "messages[0].content[0].file.file_data"


async def test_a_file_that_cannot_be_had_is_the_callers_400_naming_the_part() -> None:
    with pytest.raises(GatewayError) as raised:
        await inlined(asking(document(PDF)), to=to(), fetcher=FakeFetcher())
    assert raised.value.param == "messages[0].content[0].file.file_data"
