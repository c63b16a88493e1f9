"""An HTTP/1.1 client for the hottest path: asyncio and httptools, pooled, strict, bounded, no task per request."""

from llmgateway.infra.transport.client import HttpTransport
from llmgateway.infra.transport.dialer import Dialer
from llmgateway.infra.transport.limits import TransportLimits
from llmgateway.infra.transport.pool import OriginStats
from llmgateway.infra.transport.resolver import Resolver

__all__ = ["Dialer", "HttpTransport", "OriginStats", "Resolver", "TransportLimits"]
