"""An exchange in progress: the facts of one request as they happen. The only mutable thing on the path.

`pipeline` and `attempt` write them down, `settle` reads them once.
"""

import time

import msgspec

from llmgateway.domain.chat import Chat
from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.identity import ApiKey
from llmgateway.domain.plan import Attempt, RoutePlan
from llmgateway.domain.reply import ChoiceDelta, Chunk, Delta
from llmgateway.domain.routing import Deployment
from llmgateway.domain.usage import Usage, cost_of
from llmgateway.engine.clock import REAL, Clock
from llmgateway.engine.heal import Healer
from llmgateway.engine.recall import Recall, Thought


class RequestFacts(msgspec.Struct):
    """What the edge knows of a request besides its body; text already cleaned of control characters.

    `log_id`: ours, where the edge has made one already; the request id is made from it.
    """

    request_id: str
    log_id: str = ""
    session_id: str | None = None
    source: str | None = None
    user_agent: str | None = None
    trace_id: str | None = None
    client_ip: str | None = None
    custom: dict[str, str] | None = None
    timeout_s: float | None = None
    no_fallback: bool = False
    hops: bytes = b""
    simulator: bytes = b""


class Exchange(msgspec.Struct, kw_only=True):
    """One request of one key. Times: `began_ns` since 1970, other `*_ns` of the monotonic clock (0 = not yet).

    `deadline_ns`: when all of it must be over. `undecided`: the deployment under way, whose health awaits a verdict.
    `committed`: that its stream has content has been told.
    `asked_ns`: since when others are waited for, `waited_ns`: how long they were, over all attempts.
    """

    log_id: str
    key: ApiKey
    facts: RequestFacts
    began_ns: int = msgspec.field(default_factory=time.time_ns)
    started_ns: int = msgspec.field(default_factory=REAL.now_ns)
    clock: Clock = REAL
    deadline_ns: int = 0
    undecided: Deployment | None = None
    committed: bool = False
    chat: Chat | None = None
    plan: RoutePlan | None = None
    attempts: list[Attempt] = []
    dropped: tuple[str, ...] = ()
    usage: Usage | None = None
    service_tier: str | None = None
    reported_model: str | None = None
    finish_reason: str | None = None
    raw_finish_reason: str | None = None
    asked_ns: int = 0
    waited_ns: int = 0
    first_content_ns: int = 0
    first_reasoning_ns: int = 0
    content_characters: int = 0
    thoughts: dict[int, Thought] | None = None
    healer: Healer | None = None
    relayed: bool = False
    settled: bool = False

    def begin(self, deployment: Deployment) -> Attempt:
        """A new attempt; its facts replace those of the one before."""
        attempt = Attempt(
            deployment=deployment,
            log_id=f"{self.log_id}-{len(self.attempts) + 1}",
            started_ns=self.clock.now_ns(),
        )
        self.attempts.append(attempt)
        if len(self.attempts) > 1:
            self._forget()
        return attempt

    def asks(self) -> None:
        """From here on others are waited for."""
        self.asked_ns = self.clock.now_ns()

    def heard(self) -> None:
        """What was waited for has come; what follows is our own time until it is waited again."""
        now_ns = self.clock.now_ns()
        self.waited_ns += now_ns - self.asked_ns
        self.asked_ns = now_ns

    def spent(self) -> tuple[int, int]:
        """Nanoseconds until now: ours, and those that others were waited for.

        With nothing relayed and nothing settled, what is waited for is still to come.
        """
        now_ns = self.clock.now_ns()
        waited_ns = self.waited_ns
        if not self.settled and not self.relayed and self.asked_ns:
            waited_ns += now_ns - self.asked_ns
        return now_ns - self.started_ns - waited_ns, waited_ns

    def _forget(self) -> None:
        self.usage = self.service_tier = self.reported_model = self.finish_reason = self.raw_finish_reason = None
        self.first_content_ns = self.first_reasoning_ns = self.content_characters = 0
        self.thoughts = None

    def failed(self, error: UpstreamError) -> None:
        """The last attempt ended so."""
        attempt = self.attempts[-1]
        if self.asked_ns:
            self.heard()
        self.ended(attempt, now_ns=self.clock.now_ns(), answered=self.relayed)
        attempt.status_code = error.status_code or attempt.status_code
        attempt.error_type = error.kind.routing
        attempt.error_code = error.code or error.kind.code
        attempt.error_message = error.message
        attempt.succeeded = False

    def ended(self, attempt: Attempt, *, now_ns: int, answered: bool) -> None:
        """The last attempt is over. What nothing of reached the caller is not billed, but costs the operator."""
        attempt.ended_ns = now_ns
        attempt.first_byte_ns = self.first_content_ns
        price = attempt.deployment.mapping.price
        if not answered and self.usage is not None and price is not None:
            attempt.upstream_cost = cost_of(self.usage, price, service_tier=self.service_tier).total

    def observe(self, chunk: Chunk) -> None:
        """Notes what a chunk tells about the answer."""
        wire = chunk.wire
        if wire is not None:
            if wire.content_bytes and not self.first_content_ns:
                self.first_content_ns = self.clock.now_ns()
            self.content_characters += wire.content_bytes
            if not chunk.done:
                return
            self.finish_reason = self.raw_finish_reason = wire.finish_reason
        for choice in chunk.choices:
            self._delta(choice.delta)
            if choice.delta.reasoning_details or (self.thoughts is not None and choice.delta.tool_calls):
                self._think(choice)
            if choice.finish_reason is not None:
                self.finish_reason = choice.finish_reason
                self.raw_finish_reason = choice.raw_finish_reason
        if chunk.usage is not None and chunk.usage.plausible:
            self.usage = chunk.usage
        self.service_tier = chunk.service_tier or self.service_tier
        self.reported_model = chunk.reported_model or self.reported_model

    def _think(self, choice: ChoiceDelta) -> None:
        thoughts = self.thoughts = self.thoughts or {}
        thought = thoughts.get(choice.index)
        if thought is None:
            thought = thoughts[choice.index] = Thought()
        thought.add(choice.delta)

    def remember(self, recall: Recall) -> None:
        """What was thought before tools were called, for clients that will not send it back."""
        for thought in (self.thoughts or {}).values():
            recall.remember(thought, project=self.key.project.id, of=self.attempts[-1].deployment)

    def _delta(self, delta: Delta) -> None:
        characters = len(delta.content) if delta.content else 0
        if delta.reasoning:
            characters += len(delta.reasoning)
            self.first_reasoning_ns = self.first_reasoning_ns or self.clock.now_ns()
        for call in delta.tool_calls or ():
            if call.function:
                characters += len(call.function.arguments or "") + len(call.function.name or "")
        if delta.refusal:
            characters += len(delta.refusal)
        self.content_characters += characters
        if not self.first_content_ns and (characters or delta.has_content):
            self.first_content_ns = self.clock.now_ns()
