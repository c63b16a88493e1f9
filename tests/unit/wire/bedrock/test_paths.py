"""Where a model is asked, whatever its name holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgateway.wire.bedrock.paths import converse_path, converse_stream_path, regional

ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/mi1dadi0g15f"


@pytest.mark.parametrize(
    ("upstream", "segment"),
    [
        ("anthropic.claude-v2", "anthropic.claude-v2"),
        ("us.amazon.nova-lite-v1:0", "us.amazon.nova-lite-v1%3A0"),
        (ARN, "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fmi1dadi0g15f"),
        ("..", "%2E%2E"),
        ("../../admin", "..%2F..%2Fadmin"),
        ("a b\r\nhost: evil?x#y", "a%20b%0D%0Ahost%3A%20evil%3Fx%23y"),
    ],
)
def test_the_model_is_one_segment(upstream: str, segment: str) -> None:
    assert converse_path(upstream) == f"/model/{segment}/converse"
    assert converse_stream_path(upstream) == f"/model/{segment}/converse-stream"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_no_name_leaves_its_segment(upstream: str) -> None:
    parts = converse_path(upstream).split("/")
    assert (parts[0], parts[1], parts[3], len(parts)) == ("", "model", "converse", 4)
    assert parts[2] not in (".", "..")
    assert parts[2].isascii()
    assert parts[2].isprintable()


@pytest.mark.parametrize(
    ("upstream", "region", "asked"),
    [
        ("anthropic.claude-sonnet-4-6", None, "anthropic.claude-sonnet-4-6"),
        ("us.anthropic.claude-sonnet-4-6", None, "us.anthropic.claude-sonnet-4-6"),
        ("anthropic.claude-sonnet-4-6", "eu", "eu.anthropic.claude-sonnet-4-6"),
        ("us.anthropic.claude-sonnet-4-6", "global", "global.anthropic.claude-sonnet-4-6"),
        ("us-gov.anthropic.claude-sonnet-4-6", "apac", "apac.anthropic.claude-sonnet-4-6"),
        ("us.anthropic.claude-sonnet-4-6", "eu-central-1", "anthropic.claude-sonnet-4-6"),
        (ARN, "eu", ARN),
    ],
)
def test_the_geography_of_a_requested_region(upstream: str, region: str | None, asked: str) -> None:
    assert regional(upstream, region=region) == asked
