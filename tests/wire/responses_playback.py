"""The whole pipeline in front of one provider that speaks the responses protocol and answers with recordings."""

from datetime import date
from typing import Any

from llmgateway.catalog.lookup import Catalog, load
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.routing import Credential, Deployment, ParameterPolicy, Provider
from llmgateway.engine.meters import Meters
from llmgateway.engine.pipeline import Gateway
from llmgateway.engine.snapshot import Snapshot
from llmgateway.wire.openai_responses.upstream import OpenAIResponses
from tests.support.corpus import Recording, recordings
from tests.support.responses_sdk_reader import spoken
from tests.wire.playback import KEY, SECRET, Client, Ledger, MarkedFetcher, Playback, Player, Split, in_one_piece

ASKED = b'{"model":"recorded/m","messages":[{"role":"user","content":"Hello"}],"stream":%b}'
ANSWERS = tuple(one for one in recordings() if spoken(one) and one.status == 200)
STREAMS = tuple(one for one in ANSWERS if one.streamed)
OPENAI = next(one for one in load().providers["openai"].endpoints if one.protocol == "openai-responses")
PROVIDERS = sorted({one.provider for one in ANSWERS})


class ResponsesPlayback(Playback):
    """As `Playback`; members of the provider's row may be given. Words of its own are OpenAI's."""

    def __init__(self, **members: Any) -> None:
        members.setdefault("parameters", ParameterPolicy(takes=OPENAI.takes, types=OPENAI.types))
        provider = Provider(
            id="recorded",
            protocol="openai-responses",
            base_url="http://upstream.test/v1",
            path="/responses",
            any_model=True,
            custom=True,
            unknown_fields="pass",
            **members,
        )
        self.player = Player()
        self.ledger = Ledger()
        self.bugs: list[BaseException] = []
        self.gateway = Gateway(
            snapshot=Snapshot(
                catalog=Catalog(providers=[provider], models=[]),
                keys=[KEY],
                credentials=[Credential(provider="recorded", secret=SECRET, fingerprint="0123456789abcdef")],
                protocols=frozenset(("openai-responses",)),
                instance_id="i_1",
                today=date(2026, 1, 1),
                policy=RoutingPolicy(same_credential_retries=0),
            ),
            codecs={"openai-responses": OpenAIResponses()},
            transport=self.player,
            journal=self.ledger,
            fetcher=MarkedFetcher(),
            meters=Meters(),
            report=lambda _, error: self.bugs.append(error),
        )

    @property
    def deployment(self) -> Deployment:
        route = self.gateway.snapshot.route("recorded/m")
        assert route is not None
        return route.offers[0].deployments[0]

    def play(
        self,
        recording: Recording,
        *,
        streamed: bool | None = None,
        body: bytes | None = None,
        split: Split = in_one_piece,
    ) -> Client:
        """One exchange. `streamed`: the form the client asks for, as recorded if it is None."""
        asked = recording.streamed if streamed is None else streamed
        return self.ask(
            ASKED % (b"true" if asked else b"false"),
            status=recording.status,
            headers=recording.headers,
            body=recording.body if body is None else body,
            split=split,
        )
