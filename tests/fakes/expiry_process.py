"""A process that lets things expire and kills itself: `expiry_process.py URL FOLDER N`, at the Nth point of its way.

Points: within the transaction of a step, after its commit, before and after each deletion of an object, before and
after it is written down that some are deleted. Ends with 0 when its way has fewer points.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coordinator.store import retention
from coordinator.store.connect import connect
from coordinator.store.objects import LocalObjects
from tests.fakes.aged_stream import HOURS, Rounds
from tests.fakes.link_parts import Site

_points = 0


def point() -> None:
    """The process may end here, as by a kill of the system."""
    global _points
    _points -= 1
    if _points == 0:
        os.kill(os.getpid(), signal.SIGKILL)


class Expiry(retention.PostgresExpiry):
    """With points."""

    async def expire(self, session_id: str) -> Any:
        found = await super().expire(session_id)
        point()
        return found

    async def settle_objects(self, keys: Sequence[str], **counts: int) -> None:
        point()
        await super().settle_objects(keys, **counts)
        point()


class Objects(LocalObjects):
    """With points."""

    async def delete(self, keys: Sequence[str]) -> None:
        point()
        await super().delete(keys)
        point()


async def main(url: str, folder: Path, number: int) -> None:
    global _points
    _points = number
    finish = retention._finish

    async def finish_at_a_point(*arguments: Any) -> None:
        await finish(*arguments)
        point()

    retention._finish = finish_at_a_point
    pool = await connect(url, max_connections=10)
    objects = Objects(folder / "objects", base_url="http://127.0.0.1:9", secret=b"x" * 32)
    certificates: Any = None
    site = Site(folder=folder, pool=pool, certificates=certificates, objects=objects)
    await Rounds(site=site, expiry=Expiry(pool, HOURS)).once()
    await pool.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
