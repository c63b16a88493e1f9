"""What a client asks the gateway in order that a recorded request is sent: the reverse readers, by protocol."""

import json
import re
from importlib import import_module
from typing import Any
from urllib.parse import unquote

from tests.support import reverse_openai_chat
from tests.support.corpus import Recording
from tests.support.unspeakable import Unspeakable
from tests.wire.playback import NOT_OURS, Playback
from tests.wire.retelling import retelling

_IN_PATH = re.compile(r"/(?:models|model|deployments|serving-endpoints)/([^/:]+(?::\d[^/:]*)?)[:/]")
PLAIN: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}]}


def in_our_vocabulary(recording: Recording, protocol: str, *, through: Playback) -> dict[str, Any]:
    """The recorded request, without a form (whole or streamed). Raises Unspeakable."""
    assert recording.request is not None
    if protocol == "openai-chat":
        ours = reverse_openai_chat.spoken(recording.request)
    else:
        module = import_module(f"tests.support.reverse_{protocol.replace('-', '_')}")
        ours = module.spoken(recording.request, retold=retelling(through))
    return {name: value for name, value in ours.items() if name not in NOT_OURS}


def question(recording: Recording, protocol: str, *, through: Playback) -> dict[str, Any]:
    """What is asked where only the answer matters: the recorded request if the gateway takes it, else a plain one.

    Nothing is excluded, since all of the answer is compared.
    """
    asked = PLAIN
    if recording.request is not None and recording.status == 200:
        try:
            asked = in_our_vocabulary(recording, protocol, through=through)
        except Unspeakable:
            asked = PLAIN
    model = f"recorded/{model_of(recording, protocol)}"
    asked = {**asked, "model": model}
    if asked.get("reasoning", {}).get("exclude"):
        asked["reasoning"] = {name: value for name, value in asked["reasoning"].items() if name != "exclude"}
    plain = asked.keys() == {"messages", "model"} and all(_is_text(message) for message in asked["messages"])
    if not plain and not _is_taken(asked, through):
        return {**PLAIN, "model": model}
    return asked


def model_of(recording: Recording, protocol: str) -> str:
    """The vendor's own name: in the body, or in the path."""
    named = None if protocol in ("google", "bedrock") else (recording.request or {}).get("model")
    in_path = _IN_PATH.search(recording.path)
    return named or (unquote(in_path[1]) if in_path else "model")


def _is_text(message: dict[str, Any]) -> bool:
    return message.get("content") is None or isinstance(message["content"], str)


def _is_taken(asked: dict[str, Any], through: Playback) -> bool:
    through.player.requests.clear()
    through.ask(json.dumps(asked).encode(), status=500, headers=(), body=b"")
    return bool(through.player.requests)
