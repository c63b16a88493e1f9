"""Where requests went before and should go again, since a provider's prompt cache is warm there: sessions, and the
stable preference of a project for a provider of a model.

Knows keys, places and lifetimes. What a place is worth to a request is `plan`'s decision; a store that several
processes share goes behind the `Places` port.
"""

from collections import OrderedDict
from hashlib import blake2b
from typing import Protocol

import msgspec

from llmgateway.domain.plan import RoutePlan
from llmgateway.domain.routing import Deployment
from llmgateway.engine.clock import REAL, SECOND_NS, Clock


class Place(msgspec.Struct, frozen=True):
    """An offer's key, and the fingerprint of a credential ("" = any of its)."""

    offer: str
    credential: str = ""


class Places(Protocol):
    """A bounded map of places that are forgotten after a while. Both calls take the same short time at any size."""

    def get(self, key: str, *, now_ns: int) -> Place | None: ...

    def put(self, key: str, place: Place, *, until_ns: int, at_most: int) -> None:
        """Remembers the newest `at_most`."""
        ...


class Memory:
    """Places in this process. The one that was put longest ago goes first."""

    def __init__(self) -> None:
        self._places: OrderedDict[str, tuple[Place, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._places)

    def get(self, key: str, *, now_ns: int) -> Place | None:
        found = self._places.get(key)
        if found is None:
            return None
        if found[1] <= now_ns:
            del self._places[key]
            return None
        return found[0]

    def put(self, key: str, place: Place, *, until_ns: int, at_most: int) -> None:
        places = self._places
        places[key] = (place, until_ns)
        places.move_to_end(key)
        while len(places) > at_most:
            places.popitem(last=False)


class Affinity:
    """Asked by `plan`, told by whoever sees an answer commit."""

    def __init__(
        self, *, clock: Clock = REAL, sessions: Places | None = None, preferences: Places | None = None
    ) -> None:
        self._clock = clock
        self._sessions = sessions or Memory()
        self._preferences = preferences or Memory()

    def session(self, key: str) -> Place | None:
        return self._sessions.get(key, now_ns=self._clock.now_ns())

    def preference(self, key: str) -> Place | None:
        return self._preferences.get(key, now_ns=self._clock.now_ns())

    def won(self, plan: RoutePlan, to: Deployment) -> None:
        """An answer of this deployment has begun. Only offers of the model that was asked for first are remembered."""
        ties = plan.ties
        if ties is None or to.mapping.model != plan.candidates[0].deployments[0].mapping.model:
            return
        now_ns = self._clock.now_ns()
        if ties.session:
            place = Place(to.used_model, to.credential.fingerprint if ties.credential else "")
            until_ns = now_ns + int(ties.session_s * SECOND_NS)
            self._sessions.put(ties.session, place, until_ns=until_ns, at_most=ties.at_most)
        if ties.preference:
            until_ns = now_ns + int(ties.preference_s * SECOND_NS)
            self._preferences.put(ties.preference, Place(to.used_model), until_ns=until_ns, at_most=ties.at_most)


def session_key(project: str, subject: str, value: str) -> str:
    """A hash that is the same in every process; what a client sent is not kept."""
    told = f"{len(project)},{len(subject)},{project}{subject}{value}".encode(errors="surrogatepass")
    return blake2b(told, digest_size=16).hexdigest()


def preference_key(project: str, subject: str) -> str:
    return project + "\0" + subject
