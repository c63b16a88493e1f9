"""Where a Bedrock model is asked: the paths of its two operations, and its id in another region's inference profile."""

import re
from typing import Final
from urllib.parse import quote

PREFIXES: Final = frozenset(("us", "us-gov", "eu", "apac", "au", "jp", "ca", "global"))
"""Geographies of inference profiles (docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html)."""
_PREFIXED: Final = re.compile(r"^(?:us-gov|us|eu|apac|au|jp|ca|global|regional)\.(?=[a-z0-9]+\.)")


def converse_path(upstream: str) -> str:
    return f"/model/{_segment(upstream)}/converse"


def converse_stream_path(upstream: str) -> str:
    return f"/model/{_segment(upstream)}/converse-stream"


def regional(upstream: str, *, region: str | None) -> str:
    """The model's id for a requested region: a geography's prefix, or the bare model in an AWS region (`eu-west-1`).

    Resource names (ARNs) and requests without a region keep the id as it is.
    """
    if region is None or upstream.startswith("arn:"):
        return upstream
    model = bare(upstream)
    return f"{region}.{model}" if region in PREFIXES else model


def bare(upstream: str) -> str:
    """The id without its geography."""
    return _PREFIXED.sub("", upstream, count=1)


def _segment(upstream: str) -> str:
    """One segment of a path, whatever the name holds; dots alone would climb."""
    encoded = quote(upstream, safe="")
    return encoded if encoded.strip(".") else encoded.replace(".", "%2E")
