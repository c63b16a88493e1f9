"""An event stream read to its end as one answer: for servers that call a stream JSON, and callers that want none."""

from llmgateway.domain.errors import STREAM_TRUNCATED, UpstreamError
from llmgateway.domain.reply import Chunk, Fold
from llmgateway.domain.routing import Deployment
from llmgateway.wire.upstream import Decoder


def folded(body: bytes, decoder: Decoder, *, to: Deployment) -> Chunk:
    """The whole answer that a body of events tells. Raises UpstreamError, also for one without its end."""
    fold = Fold()
    for chunk in (*decoder.feed(body), *decoder.close()):
        if chunk.error is not None:
            raise chunk.error
        fold.add(chunk)
    if not decoder.finished:
        raise truncated(to)
    return fold.response()


def truncated(to: Deployment) -> UpstreamError:
    """The provider's answer stopped before its end."""
    return UpstreamError(
        STREAM_TRUNCATED, f"{to.provider.id} ended its answer without a finish reason.", status_code=200
    )
