"""What is done about a bug at the edge: a line in the log without what it was given, and an end for the answer."""

import logging
from typing import Final

from llmgateway.apps.edge.inbound import Inbound
from llmgateway.domain import errors
from llmgateway.domain.errors import GatewayError
from llmgateway.wire.openai_chat.encode import error_body

_log: Final = logging.getLogger("llmgateway")


def failed(inbound: Inbound, error: BaseException) -> None:
    """A 500, or a cut where an answer had begun."""
    note(f"request {inbound.request_id}", error)
    if inbound.begun:
        inbound.abandon()
        return
    told = GatewayError(errors.INTERNAL, f"The gateway failed. Report request id {inbound.request_id}.")
    inbound.send(told.status, (), error_body(told))


def note(what: str, error: BaseException | None) -> None:
    """Type and place only: the values of a failure may hold a prompt or a key."""
    trace = error.__traceback__ if error is not None else None
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_qualname} line {trace.tb_lineno}" if trace is not None else "an unknown place"
    _log.error("%s failed: %s in %s", what, type(error).__name__, where)
