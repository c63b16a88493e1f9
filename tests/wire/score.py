"""How much of the recorded traffic the gateway tells as it was: `python -m tests.wire.score`.

One line per provider: recordings passed / of, for each way to ask. `--every-split` cuts every stream after each byte.
"""

import sys
from collections import Counter
from collections.abc import Callable

from tests.support.corpus import RECORDED, Recording, chats
from tests.wire.playback import Playback, pieces_of, random_pieces
from tests.wire.replaying import mistakes, played

WAYS: dict[str, Callable[[Playback, Recording], list[str]]] = {
    "as recorded": lambda playback, one: mistakes(playback, one, played(playback, one)),
    "other form": lambda playback, one: mistakes(playback, one, played(playback, one, streamed=not one.streamed)),
    "random splits": lambda playback, one: mistakes(playback, one, played(playback, one, split=random_pieces(7))),
}
EVERY_SPLIT: dict[str, Callable[[Playback, Recording], list[str]]] = {
    "single bytes": lambda playback, one: mistakes(playback, one, played(playback, one, split=pieces_of(1))),
}


def main() -> int:
    if not RECORDED.exists():
        print(f"There are no recordings: {RECORDED} is missing.")
        return 2
    ways = {**WAYS, **EVERY_SPLIT} if "--every-split" in sys.argv else WAYS
    lanes = {"decoded": Playback(clean=False), "native": Playback(clean=True)}
    passed, failed, of = Counter[tuple[str, str]](), list[str](), Counter[str]()
    for recording in chats():
        of[recording.provider] += 1
        for way, ask in ways.items():
            found = [f"{lane}: {line}" for lane, playback in lanes.items() for line in ask(playback, recording)]
            passed[recording.provider, way] += not found
            failed += [f"{recording.source} ({way}) {line}" for line in found]
    print(f"{'provider':<16}" + "".join(f"{way:>16}" for way in ways))
    for provider in sorted(of):
        print(f"{provider:<16}" + "".join(f"{passed[provider, way]:>9} / {of[provider]:<4}" for way in ways))
    total = sum(of.values())
    print(f"{'all':<16}" + "".join(f"{sum(passed[name, way] for name in of):>9} / {total:<4}" for way in ways))
    print("\n".join(failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
