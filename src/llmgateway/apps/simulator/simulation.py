"""One simulated provider: everything it remembers from request to request (numbers, prompt cache, fault counts, what
it was asked) and the way of a request to its script. No I/O: the server and the in-process transport bring requests
and play scripts."""

import time
from collections import OrderedDict
from collections.abc import Callable

from llmgateway.apps.simulator import delivery
from llmgateway.apps.simulator.complaints import refusal
from llmgateway.apps.simulator.dialect import Asked, Complaint, Dialect, InvalidAsk
from llmgateway.apps.simulator.ledger import KEPT_REQUESTS, Entry, Ledger
from llmgateway.apps.simulator.openai_chat import OPENAI_CHAT, voice
from llmgateway.apps.simulator.promptcache import PromptCache
from llmgateway.apps.simulator.protocols import route
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
MODELS_PATH = f"{OPENAI_PREFIX}/models"
REQUESTS_PATH = "/simulator/requests"
HEALTH_PATH = "/simulator/healthz"
STEERING_HEADER = b"x-simulator"
_METHODS = {MODELS_PATH: ("GET",), REQUESTS_PATH: ("GET", "DELETE"), HEALTH_PATH: ("GET",)}
_KEY_HEADERS = (b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key")
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
        if (found := route(request)) is not None:
            dialect, template, asked = found
            if request.method == "POST":
                return self._chat(asked, dialect=dialect, path=template)
            methods = ("POST",)
        if path.startswith("/simulator/") and methods is not None and request.method in methods:
            return self._own(request, path=path), None
        if path == MODELS_PATH and request.method == "GET":
            return self._counted(request, voice.models(created=int(self._now())), path=path)
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

    def _chat(self, asked: Asked, *, dialect: Dialect, path: str) -> tuple[Script, Entry]:
        request = asked.request
        key = key_of(request.body, ordinal=self._arrived)
        try:
            steering = steering_of(request.header(STEERING_HEADER))
            ask = dialect.ask(asked)
            scenario = self._scenario(request, ask, steering, key=key)
        except InvalidAsk as error:
            return self._counted(request, refusal(error.complaint, dialect=dialect, key=key), path=path)
        except InvalidSteering as error:
            complaint = Complaint(400, str(error), code="invalid_x_simulator", param="x-simulator")
            return self._counted(request, refusal(complaint, dialect=dialect, key=key), path=path)
        fault = scenario.fault.name if scenario.fault is not None else None
        return self._counted(request, delivery.answer(scenario, dialect=dialect), path=path, fault=fault)

    def _scenario(self, request: Request, ask: Ask, steering: Steering, *, key: str) -> Scenario:
        """Raises InvalidAsk when the model does not exist."""
        preset = preset_for(ask, steering)
        if not preset.known:
            message = f"The model `{ask.model}` does not exist or you do not have access to it."
            raise InvalidAsk(message, code="model_not_found", status=404)
        fault = fault_of(preset, steering, turn=self._turn(fault_group(ask, steering)))
        cached = self._cache.recall(request.body)
        name = None if fault is None else fault.name
        replies = replies_of(ask, preset=preset, steering=steering, fault=name, key=key)
        authorization = next((value for name in _KEY_HEADERS if (value := request.header(name))), b"")
        return Scenario(
            ask=ask,
            replies=replies,
            usage=tokens_of(replies, ask=ask, cached=cached, steering=steering.usage),
            first_token_s=preset.first_token_ms / 1000,
            per_token_s=preset.per_token_ms / 1000,
            fault=fault,
            key=key,
            created=int(self._now()),
            authorization=authorization.decode("latin-1"),
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
        complaint = Complaint(404, f"Unknown path: {request.method} {path}", code="unknown_url")
    else:
        message = f"{request.method} is not allowed for {path}; allowed: {', '.join(methods)}"
        complaint = Complaint(405, message, code="method_not_allowed")
    return refusal(complaint, dialect=OPENAI_CHAT, key="")
