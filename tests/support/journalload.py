"""A process that journals as fast as it can and prints each log id once its answer could go out; made to be killed.

`python -m tests.support.journalload JOURNAL_DIRECTORY DATABASE`
"""

import asyncio
import os
import sys
from functools import partial
from pathlib import Path

from llmgateway.infra.db.engine import connect
from llmgateway.infra.db.sink import Sink
from llmgateway.infra.journal import FileJournal, JournalSettings
from tests.support.journaling import record


async def main(directory: Path, database: Path) -> None:
    journal = FileJournal(directory, settings=JournalSettings(segment_bytes=200_000, sync_interval_s=0.02))
    sink = Sink(directory, partial(connect, database), live=lambda: journal.path, interval_s=0.005)
    sink.start()
    while True:
        for _ in range(3):
            item = record()
            journal.append(item, then=partial(answer, item.exchange.log_id))
        await asyncio.sleep(0.0002)


def answer(log_id: str) -> None:
    os.write(1, log_id.encode() + b"\n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
