"""What must become of each fault, written by hand from the specification, before it was run.

A rule says of a fault what an attempt meets; what follows from that, with another provider that is well and without
one, is written down once, in `expectation`. Where a protocol differs from the others, `DIFFERING` says so and why.
"""

from typing import Final, NamedTuple

from tests.e2e.fault_matrix.cells import MIDWAY, Cell

Attempt = tuple[str, str, int]
"""Who was asked (`sick` or `well`), the attempt's error_type, the provider's status (0 = no answer)."""


class Rule(NamedTuple):
    """What an attempt meets. `status` and `code`: what the caller is told if nobody else can be asked, `code` "" where
    it is the provider's own.

    `refused`: it is the request's own fault, and ends it. `larger`: only a larger context may take it. `again`: the
    same credential is asked again. `rests`: the credential is benched by this one failure. `lowers`: the provider's
    uptime. `relayed`: content was relayed before.
    """

    error: str = "none"
    upstream: int = 200
    status: int = 200
    code: str = ""
    refused: bool = False
    larger: bool = False
    again: bool = False
    rests: bool = False
    lowers: bool = True
    relayed: bool = False

    def by(self, upstream: int) -> "Rule":
        return self._replace(upstream=upstream)

    @property
    def behind_content(self) -> "Rule":
        return self._replace(relayed=True, again=False)


OK: Final = Rule(lowers=False)
LOST: Final = Rule("network_error", 0, 502, "upstream_unreachable", again=True)
BROKEN_OFF: Final = Rule("network_error", 200, 502, "upstream_unreachable")
SILENT: Final = Rule("timeout", 0, 504, "upstream_timeout")
BAD: Final = Rule("upstream_error", 200, 502, "upstream_error")
FAILED: Final = Rule("upstream_error", 500, 502, "upstream_error", again=True)
UNFINISHED: Final = Rule("upstream_error", 200, 502, "stream_truncated")
DENIED: Final = Rule("auth_error", 401, 502, "upstream_auth_error", rests=True, lowers=False)
LIMITED: Final = Rule("rate_limited", 429, 429, "upstream_rate_limited", rests=True)
LATER: Final = LIMITED._replace(again=True)
REFUSED: Final = Rule("client_error", 400, 400, "", refused=True, lowers=False)
FILTERED: Final = Rule("content_filter", 400, 400, "", refused=True, lowers=False)
TOO_LONG: Final = Rule("client_error", 400, 400, "context_length_exceeded", larger=True, lowers=False)

RULES: Final[dict[str, tuple[Rule, Rule]]] = {
    # Connections
    "refused-dial": (LOST, LOST),
    "connect-refused": (LOST, LOST),
    "reset": (LOST, LOST),
    "reset-mid": (BROKEN_OFF, BROKEN_OFF),
    "stall-headers": (SILENT, SILENT),
    "stall-mid": (SILENT.by(200), SILENT.by(200)),
    "cut": (BROKEN_OFF, BROKEN_OFF),
    "slow-body": (OK, OK),
    "content-length-long": (OK, BROKEN_OFF),
    "content-length-short": (OK, BAD),
    # Bytes
    "gzip": (BAD, BAD),
    "gzip-unannounced": (BAD, BAD),
    "wrong-content-type": (OK, OK),
    "byte-split": (OK, OK),
    "utf8-split": (OK, OK),
    "huge-chunk": (OK, OK),
    "huge-event": (OK, OK),
    "crlf": (OK, OK),
    "bom": (OK, OK),
    "comments": (OK, OK),
    "bad-crc": (OK, OK),
    "multi-line-data": (OK, OK),
    "no-last-blank-line": (OK, OK),
    "leading-space": (OK, OK),
    "malformed-json": (BAD, BAD),
    "empty-body": (BAD, BAD),
    # Error answers
    "400": (REFUSED, REFUSED),
    "400-context": (TOO_LONG, TOO_LONG),
    "400-content-filter": (FILTERED, FILTERED),
    "400-array": (REFUSED, REFUSED),
    "401": (DENIED, DENIED),
    "402": (DENIED.by(402), DENIED.by(402)),
    "403": (DENIED.by(403), DENIED.by(403)),
    "404": (BAD.by(404), BAD.by(404)),
    "408": (SILENT.by(408), SILENT.by(408)),
    "409": (BAD.by(409), BAD.by(409)),
    "413-context": (TOO_LONG.by(413), TOO_LONG.by(413)),
    "429": (LIMITED, LIMITED),
    "429-seconds": (LATER, LATER),
    "429-date": (LATER, LATER),
    "429-ms": (LATER, LATER),
    "429-quota": (DENIED.by(429), DENIED.by(429)),
    "500": (FAILED, FAILED),
    "503": (FAILED.by(503), FAILED.by(503)),
    "529": (FAILED.by(529), FAILED.by(529)),
    "html-502": (FAILED.by(502), FAILED.by(502)),
    "key-echo": (DENIED, DENIED),
    "key-echo-400": (REFUSED, REFUSED),
    "key-echo-500": (FAILED, FAILED),
    # Answers
    "error-in-200": (BAD, BAD),
    "error-event": (BAD, BAD),
    "key-echo-event": (BAD, BAD),
    "no-finish": (UNFINISHED.behind_content, OK),
    "no-done": (OK, OK),
    "empty-choices": (BAD, BAD),
    "empty-message": (BAD, BAD),
    "json-array": (BAD, BAD),
    "no-usage": (OK, OK),
    "role-every-chunk": (OK, OK),
    "usage-every-chunk": (OK, OK),
    "changing-id": (OK, OK),
    "duplicate-finish": (OK, OK),
    "content-parts": (OK, OK),
    "tool-no-index": (OK, OK),
    "tool-no-id": (OK, OK),
    "tool-repeated": (OK, OK),
    "tool-object-arguments": (OK, OK),
    "tool-empty-arguments": (OK, OK),
    "tool-invalid-arguments": (OK, OK),
    "tool-interleaved": (OK, OK),
    "tool-finish-stop": (OK, OK),
}
"""By fault: what an attempt at a stream meets, and one at a whole answer. Of a stream whose fault strikes at a moment
that can be chosen, mid-content is the same behind content."""

_HALF = "what is cut off is in the last event, which has the finish reason, and half of it cannot be read"
_WORDS = "told by words only; whatever is meant, it is the caller's and not tried again"
_QUOTA = "rate limits and quotas have the same words there, and both pass"
DIFFERING: Final[dict[tuple[str, str, bool], tuple[Rule, str]]] = {
    ("content-length-short", "openai-responses", True): (BAD.behind_content, _HALF),
    ("content-length-short", "google", True): (BAD.behind_content, _HALF),
    ("no-done", "openai-responses", True): (UNFINISHED.behind_content, "the last event is the one with the finish"),
    ("no-done", "bedrock", True): (UNFINISHED.behind_content, "messageStop, which is left out, has the finish"),
    ("bad-crc", "bedrock", True): (BAD, "only event streams of AWS have checksums"),
    **{("429-quota", "bedrock", streamed): (LIMITED, _QUOTA) for streamed in (True, False)},
    **{("429-quota", "google", streamed): (LIMITED, _QUOTA) for streamed in (True, False)},
    **{("400-content-filter", "google", streamed): (REFUSED, _WORDS) for streamed in (True, False)},
    **{("400-content-filter", "bedrock", streamed): (REFUSED, _WORDS) for streamed in (True, False)},
    ("empty-choices", "anthropic", True): (UNFINISHED, "its first event has the role, and then no finish follows"),
    ("json-array", "google", False): (OK, "its answers come in an array, too, where no event stream was asked for"),
    **{
        ("tool-invalid-arguments", "google", streamed): (BAD, "MALFORMED_FUNCTION_CALL is a failure: there is no call")
        for streamed in (True, False)
    },
}
"""By fault, protocol and whether streamed: another rule, and the reason."""


class Expectation(NamedTuple):
    """`seen`: the status that the client sees. `ends`: `answered`, `refused` or `cut`. `error`: status and code of what
    it is told. `rests` and `lowered`: whether the sick provider's deployment is benched and its uptime lowered."""

    seen: int
    ends: str
    error: tuple[int, str]
    attempts: tuple[Attempt, ...]
    rests: bool
    lowered: bool


def rule(cell: Cell) -> Rule:
    differing = DIFFERING.get((cell.fault, cell.protocol, cell.streamed))
    found = differing[0] if differing is not None else RULES[cell.fault][0 if cell.streamed else 1]
    return found.behind_content if cell.moment == MIDWAY and found.error != "none" else found


def expectation(cell: Cell) -> Expectation:
    """What follows from a rule, whatever the fault is."""
    met = rule(cell)
    sick: Attempt = ("sick", met.error, met.upstream)
    if met.error == "none":
        return Expectation(200, "answered", (200, ""), (sick,), rests=False, lowered=False)
    if met.relayed:
        return Expectation(200, "cut", (met.status, met.code), (sick,), rests=met.rests, lowered=met.lowers)
    if cell.second and not met.refused:  # of a larger context, where the prompt was too long
        well: Attempt = ("well", "none", 200)
        return Expectation(200, "answered", (200, ""), (sick, well), rests=met.rests, lowered=met.lowers)
    times = 3 if met.again else 1  # twice more
    rests = met.rests or times >= 3  # three failures in a row
    return Expectation(met.status, "refused", (met.status, met.code), (sick,) * times, rests=rests, lowered=met.lowers)
