"""Requests as each vendor's own SDK sends them: what a gateway's request costs when it is asked for directly."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import anthropic
import botocore.session
import cohere
import openai
from google import genai
from google.genai import types

Json = dict[str, Any]
Ask = Callable[[Json], int]
"""Sends a body of the protocol and gives the tokens that the provider had in its cache."""


@contextlib.contextmanager
def _openai_chat(url: str, _model: str) -> Iterator[Ask]:
    with openai.OpenAI(base_url=f"{url}/openai/v1", api_key="sk-direct", max_retries=0) as client:

        def ask(body: Json) -> int:
            usage: Any = client.chat.completions.create(**body).usage
            return usage.prompt_tokens_details.cached_tokens

        yield ask


@contextlib.contextmanager
def _openai_responses(url: str, _model: str) -> Iterator[Ask]:
    with openai.OpenAI(base_url=f"{url}/responses/v1", api_key="sk-direct", max_retries=0) as client:

        def ask(body: Json) -> int:
            usage: Any = client.responses.create(**body).usage
            return usage.input_tokens_details.cached_tokens

        yield ask


@contextlib.contextmanager
def _anthropic(url: str, _model: str) -> Iterator[Ask]:
    with anthropic.Anthropic(base_url=f"{url}/anthropic", api_key="sk-direct", max_retries=0) as client:
        yield lambda body: client.messages.create(**body).usage.cache_read_input_tokens or 0


@contextlib.contextmanager
def _google(url: str, model: str) -> Iterator[Ask]:
    options = types.HttpOptions(base_url=f"{url}/google", api_version="v1beta")
    with genai.Client(api_key="sk-direct", http_options=options) as client:

        def ask(body: Json) -> int:
            config: Json = {name: value for name, value in body.items() if name not in ("contents", "generationConfig")}
            config |= {**body.get("generationConfig", {}), "automaticFunctionCalling": {"disable": True}}
            answer: Any = client.models.generate_content(
                model=model, contents=body["contents"], config=types.GenerateContentConfig.model_validate(config)
            )
            return answer.usage_metadata.cached_content_token_count or 0

        yield ask


@contextlib.contextmanager
def _bedrock(url: str, model: str) -> Iterator[Ask]:
    client: Any = botocore.session.get_session().create_client(
        "bedrock-runtime",
        endpoint_url=f"{url}/bedrock",
        region_name="us-east-1",
        aws_access_key_id="direct",
        aws_secret_access_key="direct",
    )
    with contextlib.closing(client):
        yield lambda body: client.converse(modelId=model, **body)["usage"].get("cacheReadInputTokens", 0)


@contextlib.contextmanager
def _cohere(url: str, _model: str) -> Iterator[Ask]:
    with cohere.ClientV2(api_key="direct", base_url=f"{url}/cohere") as client:

        def ask(body: Json) -> int:
            usage: Any = client.chat(**{name: value for name, value in body.items() if name != "stream"}).usage
            return int(usage.cached_tokens or 0)

        yield ask


DIRECT: Final[dict[str, Callable[[str, str], contextlib.AbstractContextManager[Ask]]]] = {
    "openai-chat": _openai_chat,
    "openai-responses": _openai_responses,
    "anthropic": _anthropic,
    "google": _google,
    "bedrock": _bedrock,
    "cohere": _cohere,
}
