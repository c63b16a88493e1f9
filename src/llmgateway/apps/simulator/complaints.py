"""Error answers: what each error fault complains of, whatever the protocol, and how long to wait. A dialect puts it
into its own words."""

from collections.abc import Mapping
from email.utils import formatdate

import msgspec

from llmgateway.apps.simulator.dialect import Complaint, Dialect
from llmgateway.apps.simulator.faults import Fault
from llmgateway.apps.simulator.scenario import Scenario
from llmgateway.apps.simulator.script import Header, Script, whole

_HTML = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n"
    b"<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"
)
_LONG = "This model's maximum context length is 128000 tokens. However, your messages resulted in 200000 tokens."
_SLOW_DOWN = "Rate limit reached for requests. Please try again later."
_OVERLOADED = "The server is currently overloaded. Please try again later."
_FILTERED = "The prompt was filtered by the content policy."
MID_STREAM = ("error-event", "key-echo-event")
COMPLAINTS: Mapping[str, Complaint] = {
    "400": Complaint(400, "Invalid value in 'messages'."),
    "400-context": Complaint(400, _LONG),
    "400-content-filter": Complaint(400, _FILTERED),
    "400-array": Complaint(400, "Invalid value in 'messages'."),
    "401": Complaint(401, "Incorrect API key provided."),
    "402": Complaint(402, "The account has no credit left."),
    "403": Complaint(403, "The project may not use this model."),
    "404": Complaint(404, "The model does not exist or you do not have access to it."),
    "408": Complaint(408, "The request timed out."),
    "409": Complaint(409, "The resource was changed by another request."),
    "413-context": Complaint(413, _LONG),
    "429": Complaint(429, _SLOW_DOWN),
    "429-seconds": Complaint(429, _SLOW_DOWN),
    "429-date": Complaint(429, _SLOW_DOWN),
    "429-ms": Complaint(429, _SLOW_DOWN),
    "429-quota": Complaint(429, "You exceeded your current quota."),
    "500": Complaint(500, "The server had an error while processing your request."),
    "503": Complaint(503, _OVERLOADED),
    "529": Complaint(529, _OVERLOADED),
    "key-echo": Complaint(401, "Incorrect API key provided: {authorization}."),
    "key-echo-400": Complaint(400, "Bad request, authorization was {authorization}."),
    "key-echo-500": Complaint(500, "Internal error for authorization {authorization}."),
    "error-in-200": Complaint(200, "The model is currently unavailable."),
    "error-event": Complaint(200, "The model stopped unexpectedly."),
    "key-echo-event": Complaint(200, "Lost the session of {authorization}."),
}


def complaint_of(scenario: Scenario, *, fault: Fault, dialect: Dialect) -> Complaint | None:
    """What the fault complains of, in the dialect's words; None: it is no complaint."""
    complaint = dialect.complaints.get(fault.name) or COMPLAINTS.get(fault.name)
    if complaint is None:
        return None
    message = complaint.message.replace("{authorization}", scenario.authorization or "(none)")
    retry_after_s = fault.retry_after_s if fault.name == "429-seconds" else None
    return msgspec.structs.replace(complaint, message=message, retry_after_s=retry_after_s)


def refused(scenario: Scenario, *, dialect: Dialect) -> Script | None:
    """The error answer in place of an answer; None: there is an answer, if a faulty one."""
    fault = scenario.fault
    if fault is None:
        return None
    if fault.name == "html-502":
        return whole(502, _HTML, content_type=b"text/html")
    complaint = complaint_of(scenario, fault=fault, dialect=dialect)
    if complaint is None or (fault.name in MID_STREAM and scenario.ask.stream):
        return None
    content, headers = dialect.error(complaint, scenario.key)
    headers = (*_retry_after(scenario, fault, dialect=dialect), *headers)
    body = [content] if fault.name == "400-array" else content
    return whole(complaint.status, msgspec.json.encode(body), content_type=dialect.content_type, headers=headers)


def refusal(complaint: Complaint, *, dialect: Dialect, key: str) -> Script:
    """An error answer in the dialect's words."""
    content, headers = dialect.error(complaint, key)
    body = msgspec.json.encode(content)
    return whole(complaint.status, body, content_type=dialect.content_type, headers=headers)


def _retry_after(scenario: Scenario, fault: Fault, *, dialect: Dialect) -> tuple[Header, ...]:
    seconds = fault.retry_after_s
    if fault.name == "429-seconds" and not dialect.waits_in_body:
        return ((b"retry-after", b"%g" % seconds),)
    if fault.name == "429-date":
        return ((b"retry-after", formatdate(scenario.created + seconds, usegmt=True).encode()),)
    return ((b"retry-after-ms", b"%d" % round(seconds * 1000)),) if fault.name == "429-ms" else ()
