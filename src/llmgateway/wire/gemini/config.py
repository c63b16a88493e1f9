"""Sampling, limits, shape and medium of the answer as Google's `generationConfig`."""

import re
from collections.abc import Callable
from typing import Any, Final

from llmgateway.domain.chat import Chat, ChatRequest
from llmgateway.domain.errors import UNSUPPORTED_PARAMETER, UPSTREAM_REFUSED, UpstreamError
from llmgateway.domain.routing import Deployment
from llmgateway.wire.gemini.families import Family
from llmgateway.wire.gemini.thinking import thinking_config
from llmgateway.wire.gemini.tools import OPENAPI_QUIRK
from llmgateway.wire.gemini.vocabulary import emulates
from llmgateway.wire.schema import reduced

_NUMBERS: Final = (
    ("temperature", "temperature"),
    ("top_p", "topP"),
    ("presence_penalty", "presencePenalty"),
    ("frequency_penalty", "frequencyPenalty"),
    ("seed", "seed"),
)
_IMAGE_SIZE: Final = re.compile(r"(?:\d{3}|[1-8][kK])")
_SOUND_FORMATS: Final = frozenset(("wav", "pcm16"))
_RESOLUTIONS: Final = {"low": "MEDIA_RESOLUTION_LOW", "high": "MEDIA_RESOLUTION_HIGH"}


def generation_config(chat: Chat, *, to: Deployment, family: Family, dropped: list[str]) -> dict[str, Any]:
    """Raises UpstreamError for a form of sound that Google does not speak."""
    request = chat.request
    config: dict[str, Any] = {}
    _sampling(request, to, config)
    limit = chat.output_limit
    if limit is not None:
        config["maxOutputTokens"] = limit
    if request.stop:
        config["stopSequences"] = [request.stop] if isinstance(request.stop, str) else request.stop
    if request.n is not None and request.n > 1:
        config["candidateCount"] = request.n
    if request.logprobs or request.top_logprobs:
        config["responseLogprobs"] = True
        if request.top_logprobs:
            config["logprobs"] = request.top_logprobs
    _shape(chat, to, family, config)
    steps: tuple[Callable[..., None], ...] = (_medium, _image, _resolution)
    for step in steps:
        step(chat, to, config, dropped)
    thinking, unfollowed = thinking_config(chat, family=family)
    if thinking:
        config["thinkingConfig"] = thinking
    if unfollowed is not None:
        dropped.append(unfollowed)
    if request.reasoning is not None and request.reasoning.summary is not None:
        dropped.append("reasoning.summary")
    return config


def _sampling(request: ChatRequest, to: Deployment, config: dict[str, Any]) -> None:
    plan = to.parameters
    for ours, theirs in _NUMBERS:
        value = getattr(request, ours)
        if value is not None and ours not in plan.listed and ours not in plan.force:
            config[theirs] = min(value, plan.clamp[ours]) if ours in plan.clamp else value
    if request.top_k is not None and request.top_k > 0 and "top_k" not in plan.listed:
        config["topK"] = request.top_k


def _shape(chat: Chat, to: Deployment, family: Family, config: dict[str, Any]) -> None:
    """JSON, natively; where that cannot be, `instruction_of` says it in words."""
    shape = chat.request.response_format
    if shape is None or shape.type == "text" or emulates(chat, to=to) is not None:
        return
    config["responseMimeType"] = "application/json"
    schema = shape.json_schema.schema if shape.json_schema is not None else None
    if schema is None:
        return
    if family.json_schema and OPENAPI_QUIRK not in to.provider.quirks:
        config["responseJsonSchema"] = schema
    else:
        config["responseSchema"] = reduced(schema)


def _medium(chat: Chat, to: Deployment, config: dict[str, Any], dropped: list[str]) -> None:
    """Speech models speak and write nothing beside, so that OpenAI's ["text", "audio"] is sound alone."""
    request, modalities = chat.request, chat.request.modalities
    if modalities is None and request.audio is None:
        return
    if "audio" not in (modalities or ()):
        config["responseModalities"] = [modality.upper() for modality in modalities or ("text",)]
        if request.audio is not None:
            dropped.append("audio")
        return
    config["responseModalities"] = ["AUDIO"]
    audio = request.audio
    if audio is None:
        return
    if audio.format not in _SOUND_FORMATS or not isinstance(audio.voice, str):
        param = "audio.voice" if audio.format in _SOUND_FORMATS else "audio.format"
        raise UpstreamError(
            UPSTREAM_REFUSED,
            f"{to.provider.id} takes the name of a voice and answers in 'wav' or 'pcm16': change '{param}'.",
            code=UNSUPPORTED_PARAMETER.code,
            param=param,
        )
    config["speechConfig"] = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": audio.voice}}}


def _image(chat: Chat, to: Deployment, config: dict[str, Any], dropped: list[str]) -> None:
    image = chat.request.image_config
    if image is None:
        return
    form: dict[str, Any] = {}
    if image.aspect_ratio is not None:
        form["aspectRatio"] = image.aspect_ratio
    if image.image_size is not None:
        if _IMAGE_SIZE.fullmatch(image.image_size):
            form["imageSize"] = image.image_size.upper()
        else:
            dropped.append("image_config.image_size")
    if form:
        config["imageConfig"] = form
    if image.image_quality is not None:
        dropped.append("image_config.image_quality")
    if image.n is not None and image.n > 1:
        config.setdefault("candidateCount", image.n)
    if image.seed is not None:
        config.setdefault("seed", image.seed)


def _resolution(chat: Chat, to: Deployment, config: dict[str, Any], dropped: list[str]) -> None:
    """Google sees all images of a request equally well, so that only a detail that all of them ask for can be told."""
    details = {
        part.image_url.detail or "auto"
        for message in chat.messages
        if isinstance(message.content, list)
        for part in message.content
        if part.image_url is not None
    }
    if len(details) == 1 and (level := _RESOLUTIONS.get(next(iter(details)))) is not None:
        config["mediaResolution"] = level
    elif details - {"auto"}:
        dropped.append("messages[].content[].image_url.detail")
