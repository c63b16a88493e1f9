"""Which URLs a provider may be told to fetch, by their look alone."""

import pytest

from llmgateway.domain.errors import INVALID_VALUE, GatewayError
from llmgateway.infra.fetch import GuardedFetcher

PARAM = "messages[0].content[1].image_url.url"


def told(url: str, *, allow_private_network: bool = False) -> None:
    GuardedFetcher(allow_private_network=allow_private_network).check(url, param=PARAM)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a.png",
        "http://example.com/a.png?x=1#y",
        "HTTPS://EXAMPLE.COM/a.png",
        "https://example.com:8443/a.png",
        "https://8.8.8.8/a.png",
        "https://[2606:4700::1111]/a.png",
        "https://bücher.example/a.png",
    ],
)
def test_public_web_addresses_may_be_told(url: str) -> None:
    told(url)


PRIVATE = [
    "http://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://017700000001/",
    "https://0/",
    "http://10.0.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://localhost/",
    "https://LOCALHOST:8080/",
    "https://a.localhost/",
    "https://db.internal/",
    "https://printer.local/",
    "https://user@127.0.0.1/",
]


@pytest.mark.parametrize("url", PRIVATE)
def test_private_addresses_in_any_spelling_may_not(url: str) -> None:
    with pytest.raises(GatewayError) as raised:
        told(url)
    assert (raised.value.kind, raised.value.param) == (INVALID_VALUE, PARAM)


@pytest.mark.parametrize("url", PRIVATE)
def test_unless_the_operator_allows_private_networks(url: str) -> None:
    told(url, allow_private_network=True)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.png",
        "//example.com/a.png",
        "file:///etc/passwd",
        "ftp://example.com/a.png",
        "javascript:alert(1)",
        "https://",
        "https:///a.png",
        "https://[::1",
        "https://[nonsense]/",
        "https://example.com/" + "a" * 8192,
    ],
)
def test_what_is_no_web_address_is_refused_wherever_it_leads(url: str) -> None:
    with pytest.raises(GatewayError) as raised:
        told(url, allow_private_network=True)
    assert (raised.value.kind, raised.value.param) == (INVALID_VALUE, PARAM)
    assert len(raised.value.message) < 300
