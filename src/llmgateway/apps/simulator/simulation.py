"""One simulated provider: everything it remembers from request to request (numbers, prompt cache, fault counts, what
it was asked) and the way of a request to its script. No I/O: the server and the in-process transport bring requests
and play scripts."""

import time
from collections import OrderedDict
from collections.abc import Callable

from llmgateway.apps.simulator import voice_openai_chat
from llmgateway.apps.simulator.ledger import KEPT_REQUESTS, Entry, Ledger
from llmgateway.apps.simulator.openai_chat_ask import InvalidAsk, ask_of
from llmgateway.apps.simulator.promptcache import PromptCache
from llmgateway.apps.simulator.replies import replies_of
from llmgateway.apps.simulator.scenario import (
    Ask,
    InvalidSteering,
    Scenario,
    Steering,
    fault_group,
    fault_of,
    key_of,
    preset_for,
    steering_of,
    tokens_of,
)
from llmgateway.apps.simulator.script import Request, Script, whole

OPENAI_PREFIX = "/openai/v1"
CHAT_PATH = f"{OPENAI_PREFIX}/chat/completions"
MODELS_PATH = f"{OPENAI_PREFIX}/models"
REQUESTS_PATH = "/simulator/requests"
HEALTH_PATH = "/simulator/healthz"
STEERING_HEADER = b"x-simulator"
_METHODS = {CHAT_PATH: ("POST",), MODELS_PATH: ("GET",), REQUESTS_PATH: ("GET", "DELETE"), HEALTH_PATH: ("GET",)}
_MAX_GROUPS = 1000


class Simulation:
    """The state of one simulated provider. `now` gives Unix seconds; `keep` is how many requests the ledger keeps.

    `refused_port` is where a dial is refused, if there is such a port: it is only reported.
    """

    def __init__(self, *, now: Callable[[], float] = time.time, keep: int = KEPT_REQUESTS) -> None:
        self.ledger = Ledger(keep=keep)
        self.refused_port: int | None = None
        self._now = now
        self._cache = PromptCache()
        self._turns: OrderedDict[str, int] = OrderedDict()
        self._arrived = 0

    def answer(self, request: Request) -> tuple[Script, Entry | None]:
        """The script to play, and the ledger's entry to report its progress to (None: nothing of a provider was
        asked)."""
        path = request.path.partition("?")[0]
        methods = _METHODS.get(path)
        if path == CHAT_PATH and request.method == "POST":
            return self._chat(request)
        if path.startswith("/simulator/") and methods is not None and request.method in methods:
            return self._own(request, path=path), None
        if path == MODELS_PATH and request.method == "GET":
            return self._counted(request, voice_openai_chat.models(created=int(self._now())), path=path)
        return self._counted(request, _unknown(request, path=path, methods=methods), path="other")

    def reset(self) -> None:
        """Forgets what was asked and starts every count again; the prompt cache is emptied."""
        self.ledger.reset()
        self._turns.clear()
        self._cache.clear()
        self._arrived = 0

    def _own(self, request: Request, *, path: str) -> Script:
        if path == HEALTH_PATH:
            return whole(200, b'{"status":"ok"}', content_type=b"application/json")
        if request.method == "DELETE":
            self.reset()
            return whole(200, b'{"status":"reset"}', content_type=b"application/json")
        return whole(200, self.ledger.report(refused_port=self.refused_port), content_type=b"application/json")

    def _counted(
        self, request: Request, script: Script, *, path: str, fault: str | None = None
    ) -> tuple[Script, Entry]:
        self._arrived += 1
        return script, self.ledger.arrive(request, number=self._arrived, time=self._now(), fault=fault, path=path)

    def _chat(self, request: Request) -> tuple[Script, Entry]:
        try:
            ask = ask_of(request.body)
            steering = steering_of(request.header(STEERING_HEADER))
        except InvalidAsk as error:
            script = voice_openai_chat.refusal(400, f"The body is no chat request: {error}", code="invalid_request")
            return self._counted(request, script, path=CHAT_PATH)
        except InvalidSteering as error:
            script = voice_openai_chat.refusal(400, str(error), code="invalid_x_simulator", param="x-simulator")
            return self._counted(request, script, path=CHAT_PATH)
        scenario = self._scenario(request, ask, steering)
        if scenario is None:
            message = f"The model `{ask.model}` does not exist or you do not have access to it."
            script = voice_openai_chat.refusal(404, message, code="model_not_found")
            return self._counted(request, script, path=CHAT_PATH)
        fault = scenario.fault.name if scenario.fault is not None else None
        return self._counted(request, voice_openai_chat.answer(scenario), path=CHAT_PATH, fault=fault)

    def _scenario(self, request: Request, ask: Ask, steering: Steering) -> Scenario | None:
        """None: the model does not exist."""
        preset = preset_for(ask, steering)
        if not preset.known:
            return None
        fault = fault_of(preset, steering, turn=self._turn(fault_group(ask, steering)))
        cached = self._cache.recall(request.body)
        key = key_of(request.body, ordinal=self._arrived)
        name = None if fault is None else fault.name
        replies = replies_of(ask, preset=preset, steering=steering, fault=name, key=key)
        return Scenario(
            ask=ask,
            replies=replies,
            usage=tokens_of(replies, ask=ask, cached=cached, steering=steering.usage),
            first_token_s=preset.first_token_ms / 1000,
            per_token_s=preset.per_token_ms / 1000,
            fault=fault,
            key=key,
            created=int(self._now()),
            authorization=(request.header(b"authorization") or b"").decode("latin-1"),
        )

    def _turn(self, group: str | None) -> int:
        """Counts a request of the group; its number, from 0."""
        if group is None:
            return 0
        turn = self._turns.pop(group, 0)
        self._turns[group] = turn + 1
        if len(self._turns) > _MAX_GROUPS:
            self._turns.popitem(last=False)
        return turn


def _unknown(request: Request, *, path: str, methods: tuple[str, ...] | None) -> Script:
    if methods is None:
        return voice_openai_chat.refusal(404, f"Unknown path: {request.method} {path}", code="unknown_url")
    message = f"{request.method} is not allowed for {path}; allowed: {', '.join(methods)}"
    return voice_openai_chat.refusal(405, message, code="method_not_allowed")
