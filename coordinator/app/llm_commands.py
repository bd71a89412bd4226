"""What the command line asks about language models, of the configuration and of the running installation's database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from coordinator.app.identity_commands import command_pool
from coordinator.app.installation import Installation

if TYPE_CHECKING:
    from coordinator.llm.commands import ProviderCheck
    from coordinator.llm.usage import Usage


def check_providers(installation: Installation) -> Sequence[ProviderCheck]:
    """Ask each configured provider for its models; needs no database."""
    from coordinator.llm.commands import check

    return asyncio.run(check(installation.config))


def llm_usage(installation: Installation) -> Usage:
    """What was used today. Raises as `command_pool`, and DatabaseUnavailable."""
    from coordinator.llm.usage import usage

    async def run() -> Usage:
        async with command_pool(installation) as pool:
            return await usage(pool, installation.config)

    return asyncio.run(run())
