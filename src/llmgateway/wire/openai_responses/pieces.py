"""Small readers of what output items hold: texts, arguments, citations, images, probabilities. None of them raises."""

from typing import Any, Final

import msgspec

_NOTHING: Final[dict[str, Any]] = {}
_SCALARS: Final = (str, int, float)


def text_of(value: Any) -> str:
    """The string; an empty one for anything else."""
    return value if isinstance(value, str) else ""


def object_of(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else _NOTHING  # pyright: ignore[reportUnknownVariableType]  # JSON of a provider


def objects_of(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; nothing for anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType]  # JSON of a provider


def citation(annotation: dict[str, Any], *, index: int, before: int) -> dict[str, Any]:
    """An annotation as chat completions nest it. `before`: characters of the answer that its part does not begin with.

    Kinds that chat completions do not have (file_citation, container_file_citation, file_path) take the same form.
    """
    kind = text_of(annotation.get("type")) or "url_citation"
    cited: dict[str, Any] = {
        name: value for name, value in annotation.items() if name != "type" and isinstance(value, _SCALARS)
    }
    for name in ("start_index", "end_index"):
        if type(cited.get(name)) is int:
            cited[name] += before
    return {"type": kind, kind: cited, "index": index}


def image(item: dict[str, Any], *, index: int) -> dict[str, Any] | None:
    """What an image_generation_call made, as a data URL; None while it has made nothing."""
    result = text_of(item.get("result"))
    if not result:
        return None
    if not result.startswith(("data:", "https://", "http://")):
        result = f"data:image/{text_of(item.get('output_format')) or 'png'};base64,{result}"
    return {"type": "image_url", "image_url": {"url": result}, "index": index}


def arguments_of(value: Any) -> str:
    """Arguments are a string of JSON; there are servers that send the object."""
    if value is None or isinstance(value, str):
        return value or ""
    try:
        return msgspec.json.encode(value).decode()
    except RecursionError:
        return ""


def token_logprobs(tokens: Any) -> list[dict[str, Any]]:
    """Chat completions have `bytes` and `top_logprobs` in every token; deltas of this protocol may not."""
    return [
        {**_token(token), "top_logprobs": [_token(top) for top in objects_of(token.get("top_logprobs"))]}
        for token in objects_of(tokens)
    ]


def _token(token: dict[str, Any]) -> dict[str, Any]:
    logprob, spelled = token.get("logprob"), token.get("bytes")
    return {
        "token": text_of(token.get("token")),
        "logprob": logprob if isinstance(logprob, int | float) else None,
        "bytes": [byte for byte in spelled if isinstance(byte, int)] if isinstance(spelled, list) else None,  # pyright: ignore[reportUnknownVariableType]  # JSON of a provider
    }
