"""The sentences of the transport's errors. They name the phase and the host, never a header's value or a credential."""

from llmgateway.domain.errors import UPSTREAM_ERROR, UPSTREAM_TIMEOUT, UPSTREAM_UNREACHABLE, UpstreamError


class UnreadableError(Exception):
    """Raised inside the parser's callbacks: what is wrong with the answer, as the end of a sentence."""

    def __init__(self, reason: str, *, status_code: int = 0) -> None:
        super().__init__(reason)
        self.status_code = status_code


def unreachable(peer: str, reason: str, *, status_code: int = 0) -> UpstreamError:
    return UpstreamError(UPSTREAM_UNREACHABLE, f"{peer} {reason}", status_code=status_code)


def unreadable(peer: str, reason: str, *, status_code: int = 0) -> UpstreamError:
    return UpstreamError(UPSTREAM_ERROR, f"{peer} sent an answer that {reason}", status_code=status_code)


def timed_out(peer: str, phase: str, *, status_code: int = 0) -> UpstreamError:
    """`phase`: connect, first byte, idle, total or pool."""
    return UpstreamError(UPSTREAM_TIMEOUT, f"{peer} timed out ({phase} timeout)", status_code=status_code)
