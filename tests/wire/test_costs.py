"""What an answer costs, by its recorded usage: our sum is that of genai-prices, which reads usage and prices by itself.

Every protocol's shape of usage is read twice, by our codec and by genai-prices' own extractors, and priced twice. What
is known to differ is kept out: prices that the catalogue has from elsewhere, usage that the oracle cannot read,
searches where it does not count them (it does so for Anthropic alone), and cached sound, which we charge like all that
is cached while Google charges it like sound.
"""

import json
import re
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices import calc_price, extract_usage

from llmgateway.catalog.lookup import load
from llmgateway.domain.reply import Chunk
from llmgateway.domain.routing import Mapping
from llmgateway.domain.usage import PICO, cost_of
from llmgateway.wire.openai_chat.request import read_request
from tests.support.corpus import Recording, needs_corpora
from tests.wire.answering import playback_of
from tests.wire.asking import model_of
from tests.wire.catalogue_rows import row_of
from tests.wire.exchanges import chats_of
from tests.wire.playback import codec_of

pytestmark = needs_corpora
VENDORS = {
    "anthropic": "anthropic",
    "azure": "azure",
    "bedrock": "aws",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "google": "google",
    "groq": "groq",
    "mistral": "mistral",
    "moonshot": "moonshotai",
    "openai": "openai",
    "openrouter": "openrouter",
    "perplexity": "perplexity",
    "vertex": "google",
    "xai": "x-ai",
}
"""The corpus's names of vendors → the oracle's."""
COMPARED = {"openai-chat": 350, "openai-responses": 300, "anthropic": 200, "google": 200, "bedrock": 40, "cohere": 15}
"""At least so many answers of each protocol can be compared."""
NOON = datetime(2026, 11, 9, 12, tzinfo=UTC)
"""DeepSeek is cheaper at night, which the oracle knows and the catalogue does not."""
_QUEUED = re.compile(rb'"status"\s*:\s*"queued"')
_CACHED_SOUND = re.compile(rb'"cacheTokensDetails"\s*:\s*\[[^\]]*"AUDIO"')
ASKED = read_request(b'{"model":"m","messages":[{"role":"user","content":"Hello"}]}')


@pytest.mark.parametrize("protocol", COMPARED)
def test_an_answer_costs_what_an_independent_oracle_says(protocol: str) -> None:
    unlike: dict[str, tuple[Decimal, Decimal]] = {}
    compared = 0
    for recording, chunk, mapping in priced(protocol):
        expected = oracle(recording, chunk, mapping, protocol)
        if expected is None:
            continue
        assert chunk.usage is not None
        assert mapping.price is not None
        cost = cost_of(chunk.usage, mapping.price, service_tier=chunk.service_tier)
        ours = Decimal(cost.total) / PICO
        compared += 1
        if expected.quantize(Decimal(1) / PICO) not in (ours, ours - Decimal(cost.web_search) / PICO):
            unlike[recording.source] = (ours, expected)
    assert unlike == {}
    assert compared >= COMPARED[protocol]


def priced(protocol: str) -> Iterator[tuple[Recording, Chunk, Mapping]]:
    """Whole answers with usage, of models whose price the catalogue has from the oracle's own figures."""
    route = playback_of(protocol).gateway.snapshot.route("recorded/m")
    assert route is not None
    catalogue, codec = load(), codec_of(protocol)
    for recording in chats_of(protocol):
        if recording.status != 200 or recording.streamed or recording.provider not in VENDORS:
            continue
        if recording.features & {"error", "error_in_stream"} or _QUEUED.search(recording.body) is not None:
            continue
        if _CACHED_SOUND.search(recording.body) is not None:
            continue
        chunk = codec.whole(recording.body, chat=ASKED, to=route.offers[0].deployments[0])
        for model in (chunk.reported_model, model_of(recording, protocol)):
            found = catalogue.resolve(f"{row_of(recording)}/{model}")
            if found is not None and found.mappings[0].price is not None and chunk.usage is not None:
                if found.mappings[0].price.source.startswith("genai-prices"):
                    yield recording, chunk, found.mappings[0]
                break


def oracle(recording: Recording, chunk: Chunk, mapping: Mapping, protocol: str) -> Decimal | None:
    """Dollars, or None where genai-prices does not know the model or cannot read the usage."""
    flavour = {"openai-chat": "chat", "openai-responses": "responses"}.get(protocol, "default")
    vendor, body = VENDORS[recording.provider], json.loads(recording.body)
    for name in (flavour, "default"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                usage = extract_usage(body, provider_id=vendor, api_flavor=name).usage
                return calc_price(
                    usage,
                    mapping.upstream,
                    provider_id=vendor,
                    genai_request_timestamp=NOON,
                    price_context={"service_tier": chunk.service_tier} if chunk.service_tier else None,
                ).total_price
        except (LookupError, ValueError, AttributeError):
            continue
    return None
