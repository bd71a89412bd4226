"""What the command line finds, on the running installation's database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from coordinator.app.identity_commands import command_pool

if TYPE_CHECKING:
    from coordinator.app.installation import Installation
    from coordinator.model.search import Found


def search(installation: Installation, query: str, *, account: str, limit: int) -> Found:
    """Find what an account's streams said. Raises as `command_pool`, `Accounts.find` and `find`."""
    from coordinator.identity.accounts import Accounts
    from coordinator.search.find import find

    async def run() -> Found:
        async with command_pool(installation) as pool:
            return await find(pool, (await Accounts(pool).find(account)).user_id, query, limit=limit)

    return asyncio.run(run())
