"""The table of faults: what a simulated provider can do wrong, and what each looks like on the wire.

The table is what the documentation prints. How a fault is done stands in faults_wire (bytes and connections) and in
each voice's own faults (its bodies and events).
"""

from typing import Literal

import msgspec


class Fault(msgspec.Struct, frozen=True):
    """A fault that befalls one request. `after`: events before it in mid-stream, never the finish (None: those before
    the first token, and three tokens); `slow_s`: pause of pieces."""

    name: str
    after: int | None = None
    retry_after_s: float = 2
    slow_s: float = 0.05


class FaultRow(msgspec.Struct, frozen=True):
    """A row of the table: what a streamed and a whole answer do. `answer` is what the model tries to say."""

    name: str
    streamed: str
    whole: str
    answer: Literal["auto", "tools", "parallel-tools"] = "auto"


def _row(
    name: str,
    streamed: str,
    whole: str = "The same",
    *,
    answer: Literal["auto", "tools", "parallel-tools"] = "auto",
) -> FaultRow:
    return FaultRow(name, streamed, whole, answer)


CONNECTION_FAULTS = (
    _row("connect-refused", "Reset as soon as the request has arrived; for a refused dial see below"),
    _row("reset", "Reset (RST) before the head"),
    _row("reset-mid", "Reset after N events", "Reset after half of the body"),
    _row("stall-headers", "No head; the connection stays open"),
    _row("stall-mid", "Silence after N events", "Silence after half of the body"),
    _row("cut", "Closed (FIN) after N events, no last chunk", "Closed after half of a chunked body, no last chunk"),
    _row("slow-body", "`slow_ms` before each event", "The body in 16 pieces, `slow_ms` before each"),
    _row("content-length-long", "Content-length 100 above the body's, then closed"),
    _row("content-length-short", "Content-length 20 below the body's, all of it sent, then closed"),
)
BYTE_FAULTS = (
    _row("gzip", "Body gzipped, `content-encoding: gzip`, whatever accept-encoding said"),
    _row("gzip-unannounced", "Body gzipped, no content-encoding"),
    _row("wrong-content-type", "`content-type: text/plain`, otherwise healthy"),
    _row(
        "byte-split",
        "Each byte (of the first 64 KiB) in a write and a chunk of its own",
        "Each byte in a write of its own",
    ),
    _row(
        "utf8-split", "Multi-byte text, a new chunk inside each character", "Multi-byte text, split in each character"
    ),
    _row("huge-chunk", "10 MB of events in one HTTP chunk", "10 MB of content in one HTTP chunk"),
    _row("huge-event", "One event with 5 MB of content", "5 MB of content"),
    _row("crlf", "Lines end with CR LF", "Healthy"),
    _row("bom", "A byte order mark before the first event", "A byte order mark before the body"),
    _row("comments", "A comment, and lines `event:`, `id:` and `retry:`, with each event", "Healthy"),
    _row("bad-crc", "The checksum of frame N is wrong (Bedrock; elsewhere healthy)", "Healthy"),
    _row("multi-line-data", "The JSON of each event over several `data:` lines", "The JSON over several lines"),
    _row("no-last-blank-line", "The stream ends right behind `data: [DONE]`, no line end", "Healthy"),
    _row("leading-space", "Healthy", "White space before and after the JSON"),
    _row("malformed-json", "The JSON of event N is cut short", "The JSON is cut short"),
    _row("empty-body", "200 and no body at all"),
)
STATUS_FAULTS = (
    _row("400", "400 invalid_request_error, param `messages`"),
    _row("400-context", "400 context_length_exceeded"),
    _row("400-content-filter", "400 content_filter"),
    _row("400-array", "400, the error object in an array"),
    _row("401", "401 invalid_api_key"),
    _row("402", "402 insufficient_quota"),
    _row("403", "403 permission_error"),
    _row("404", "404 model_not_found"),
    _row("408", "408 request_timeout"),
    _row("409", "409 conflict"),
    _row("413-context", "413 context_length_exceeded"),
    _row("429", "429 rate_limit_exceeded, no retry-after"),
    _row("429-seconds", "429, `retry-after` in seconds"),
    _row("429-date", "429, `retry-after` as an HTTP date"),
    _row("429-ms", "429, `retry-after-ms`"),
    _row("429-quota", "429 insufficient_quota"),
    _row("500", "500 server_error"),
    _row("503", "503 overloaded"),
    _row("529", "529 overloaded_error"),
    _row("html-502", "502 with an HTML page"),
    _row("key-echo", "401 whose message repeats the Authorization header"),
    _row("key-echo-400", "400 whose message repeats the Authorization header"),
    _row("key-echo-500", "500 whose message repeats the Authorization header"),
)
ANSWER_FAULTS = (
    _row("error-in-200", "200 with an error body (application/json)"),
    _row("error-event", "An error event after N events, then the end, no [DONE]", "200 with an error body"),
    _row(
        "key-echo-event",
        "As `error-event`, the message repeats the Authorization header",
        "200 with such an error body",
    ),
    _row("no-finish", "No finish reason, but [DONE]", "finish_reason null"),
    _row("no-done", "No [DONE]", "Healthy"),
    _row("empty-choices", "One event without choices, [DONE]", "`choices: []`, completion_tokens 0"),
    _row("empty-message", "Role and finish `stop` without content", "content null, finish `stop`, completion_tokens 0"),
    _row("json-array", "Each event's JSON in an array", "The JSON in an array"),
    _row("no-usage", "No usage, also where it was asked for", "No usage"),
    _row("role-every-chunk", "role in every delta", "Healthy"),
    _row("usage-every-chunk", "Growing usage in every event", "Healthy"),
    _row("changing-id", "Another id, created and model in every event; the first id is empty", "Healthy"),
    _row("duplicate-finish", "The finish event twice", "Healthy"),
    _row("content-parts", "content as a list of text parts", "content as a list of text parts"),
    _row("tool-no-index", "Tool deltas without index", "Healthy tool call", answer="tools"),
    _row("tool-no-id", "Tool deltas without id", "Tool call without id", answer="tools"),
    _row("tool-repeated", "Id, type and name in every tool delta", "Healthy tool call", answer="tools"),
    _row("tool-object-arguments", "Arguments whole, as an object", "Arguments as an object", answer="tools"),
    _row("tool-empty-arguments", "Arguments an empty string", "Arguments an empty string", answer="tools"),
    _row("tool-invalid-arguments", "Arguments that are no JSON", "Arguments that are no JSON", answer="tools"),
    _row("tool-interleaved", "Deltas of two calls in turns", "Two healthy calls", answer="parallel-tools"),
    _row("tool-finish-stop", "Tool calls that end with `stop`", "Tool calls that end with `stop`", answer="tools"),
)
FAULTS: dict[str, FaultRow] = {
    row.name: row for row in (*CONNECTION_FAULTS, *BYTE_FAULTS, *STATUS_FAULTS, *ANSWER_FAULTS)
}
