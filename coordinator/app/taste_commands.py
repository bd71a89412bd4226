"""What the command line shows of an account's taste, and how it begins anew, on the running installation's database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from coordinator.app.identity_commands import command_pool

if TYPE_CHECKING:
    from coordinator.app.installation import Installation


def taste_of(installation: Installation, account: str) -> dict[str, Any]:
    """What was learnt of an account. Raises as `command_pool` and `Accounts.find`."""
    from coordinator.identity.accounts import Accounts
    from coordinator.taste.verdicts import PostgresTastes
    from protos.taste_words import shown

    async def run() -> dict[str, Any]:
        async with command_pool(installation) as pool:
            user_id, tastes = (await Accounts(pool).find(account)).user_id, PostgresTastes(pool)
            taste = await tastes.of_account(user_id)
            return shown(taste, await tastes.verdicts(user_id), await tastes.moments(user_id))

    return asyncio.run(run())


def reset_taste(installation: Installation, account: str) -> int:
    """Forget every verdict of an account; returns how many there were. Raises as `taste_of`."""
    from coordinator.identity.accounts import Accounts
    from coordinator.taste.verdicts import PostgresTastes

    async def run() -> int:
        async with command_pool(installation) as pool:
            return await PostgresTastes(pool).reset((await Accounts(pool).find(account)).user_id)

    return asyncio.run(run())
