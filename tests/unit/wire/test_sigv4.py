"""Signatures equal those of botocore, whatever is signed."""

from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import quote

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.domain.routing import HttpRequest, Origin
from llmgateway.wire.sigv4 import AwsCredential, signature_lines, signed

WHEN = datetime(2026, 11, 25, 7, 8, 9, tzinfo=UTC)
KEY = AwsCredential(access_key="AKIDEXAMPLE", secret_key="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
SIGNING = {"region": "us-east-1", "service": "bedrock"}
ORIGIN = Origin("https", "bedrock-runtime.us-east-1.amazonaws.com", 443)
MODELS = [
    "anthropic.claude-v2", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "amazon.nova-micro-v1:0",
    "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/mi1dadi0g15f",
]  # fmt: skip
TEXT = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20)


def post(target: str, *, body: bytes = b"{}", headers: str = "") -> HttpRequest:
    head = f"POST {target} HTTP/1.1\r\nhost: {ORIGIN.host}\r\ncontent-type: application/json\r\n{headers}"
    return HttpRequest(ORIGIN, head.encode("latin-1"), body)


def as_botocore_signs(request: HttpRequest, credential: AwsCredential, *, region: str, service: str) -> dict[str, str]:
    first, *lines = request.head.decode("latin-1").removesuffix("\r\n").split("\r\n")
    asked = AWSRequest(
        method=request.method,
        url=f"https://{ORIGIN.host}{first.split(' ')[1]}",
        data=request.body,
        headers=dict(line.split(": ", 1) for line in lines),
    )
    keys = Credentials(credential.access_key, credential.secret_key, credential.session_token)
    SigV4Auth(keys, service, region).add_auth(asked)
    names = ("authorization", "x-amz-date", "x-amz-security-token")
    return {name: value for name, value in ((name, asked.headers.get(name)) for name in names) if value is not None}


def ours(request: HttpRequest, credential: AwsCredential, *, region: str, service: str) -> dict[str, str]:
    lines = signature_lines(request, credential=credential, region=region, service=service, at=WHEN).decode("latin-1")
    assert lines.endswith("\r\n")
    return dict(line.split(": ", 1) for line in lines.removesuffix("\r\n").split("\r\n"))


@pytest.fixture(autouse=True)
def _same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore has no other way to be told the time."""
    now: Callable[[], datetime] = lambda: WHEN  # noqa: E731 - a name for a constant function
    monkeypatch.setattr(botocore.auth, "get_current_datetime", now)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("operation", ["converse", "converse-stream"])
@pytest.mark.parametrize("safe", ["", ":", "/:"])
@pytest.mark.parametrize("token", [None, "IQoJb3JpZ2luX2VjEXAMPLE//token+/="])
def test_converse_requests(model: str, operation: str, safe: str, token: str | None) -> None:
    """Model ids with a colon or a slash are signed as they stand in the path, encoded or not."""
    request = post(f"/model/{quote(model, safe=safe)}/{operation}", body=b'{"messages":[]}')
    key = AwsCredential(access_key=KEY.access_key, secret_key=KEY.secret_key, session_token=token)
    assert ours(request, key, **SIGNING) == as_botocore_signs(request, key, **SIGNING)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    model=TEXT,
    query=st.lists(st.tuples(TEXT.map(lambda text: quote(text, safe="")), TEXT.map(lambda text: quote(text, safe="")))),
    body=st.binary(max_size=100),
    header=TEXT,
    secret=TEXT,
    token=st.none() | TEXT.filter(bool),
    region=st.sampled_from(["us-east-1", "eu-central-1", "ap-northeast-1"]),
)
def test_any_request(
    model: str,
    query: list[tuple[str, str]],
    body: bytes,
    header: str,
    secret: str,
    token: str | None,
    region: str,
) -> None:
    asked = "&".join(f"{name}={value}" for name, value in query)
    target = f"/model/{quote(model, safe=':') or 'm'}x/converse" + (f"?{asked}" if asked else "")
    request = post(target, body=body, headers=f"x-llmgateway-hop: {header}\r\nuser-agent: ours\r\n")
    key = AwsCredential(access_key="AKID", secret_key=secret, session_token=token)
    assert ours(request, key, region=region, service="bedrock") == as_botocore_signs(
        request, key, region=region, service="bedrock"
    )


def test_what_proxies_change_is_not_signed() -> None:
    lines = ours(post("/", headers="user-agent: a\r\nconnection: close\r\nx-amzn-trace-id: 1\r\n"), KEY, **SIGNING)
    assert "SignedHeaders=content-type;host;x-amz-date," in lines["authorization"]


def test_a_header_of_several_lines_is_signed_as_one() -> None:
    """Inner white space counts once."""
    request = post("/model/m/converse", headers="x-a: one   two\r\nx-b:  three \r\n")
    assert ours(request, KEY, **SIGNING) == as_botocore_signs(request, KEY, **SIGNING)


def test_the_signed_request_is_the_request_with_more_headers() -> None:
    request = post("/model/m/converse")
    asked = signed(request, credential=KEY, at=WHEN, **SIGNING)
    assert asked.head.startswith(request.head)
    assert b"\r\nx-amz-date: 20261125T070809Z\r\n" in asked.head
    assert (asked.origin, asked.body, asked.method) == (request.origin, request.body, "POST")


def test_a_credential_does_not_show_its_secret() -> None:
    key = AwsCredential(access_key="AKIDEXAMPLE", secret_key="top-secret", session_token="also-secret")
    assert "secret" not in repr(key)
