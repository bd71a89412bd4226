"""What the command line shows and changes of an account's posts, on the running installation's database."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coordinator.app.identity_commands import command_pool

if TYPE_CHECKING:
    from coordinator.app.installation import Installation
    from coordinator.model.posts import PostWishes
    from coordinator.store.posts import PostgresPosts


def posts_of(installation: Installation, account: str) -> dict[str, Any]:
    """What holds for an account's posts. Raises as `command_pool` and `Accounts.find`."""

    async def keep(_posts: PostgresPosts, _user_id: str) -> None:
        """Nothing is changed."""

    return asyncio.run(_after(installation, account, keep))


def set_posts(
    installation: Installation, account: str, change: Callable[[PostWishes], PostWishes]
) -> dict[str, Any]:
    """Change what an account has set; returns what holds then.

    Raises:
        InputUnusable: It cannot be; says what can.
        Others as `posts_of`.
    """
    from coordinator.posts import check_wishes, post_choices

    async def save(posts: PostgresPosts, user_id: str) -> None:
        changed = change(await posts.wishes(user_id))
        await posts.save(user_id, check_wishes(changed, post_choices(installation.data)))

    return asyncio.run(_after(installation, account, save))


def reset_posts(installation: Installation, account: str) -> dict[str, Any]:
    """Forget what an account has set; returns what holds then. Raises as `posts_of`."""

    async def reset(posts: PostgresPosts, user_id: str) -> None:
        await posts.reset(user_id)

    return asyncio.run(_after(installation, account, reset))


def change_brand(
    installation: Installation, account: str, files: Mapping[str, Path], removed: Sequence[str]
) -> dict[str, Any]:
    """Give and remove parts of an account's brand kit; returns what holds then.

    Raises:
        InputUnusable: A file is not there, cannot be decoded, or is too large or too long.
        Others as `posts_of`, and `BrandKits.take`.
    """
    from coordinator.app.brand_kits import BrandKits
    from coordinator.media.commands import require_file

    for path in files.values():
        require_file(path)

    async def change(posts: PostgresPosts, user_id: str) -> None:
        kits = BrandKits(posts, installation.objects(), installation.scratch_of("commands"))
        for part in removed:
            await kits.remove(user_id, part)
        for part, path in files.items():
            await kits.take(user_id, part, path)

    return asyncio.run(_after(installation, account, change))


async def _after(
    installation: Installation, account: str, work: Callable[[PostgresPosts, str], Awaitable[None]]
) -> dict[str, Any]:
    """What holds for an account once `work` is done."""
    from coordinator.identity.accounts import Accounts
    from coordinator.posts import default_settings
    from coordinator.store.posts import PostgresPosts

    async with command_pool(installation) as pool:
        found = await Accounts(pool).find(account)
        posts = PostgresPosts(pool, default_settings(installation.config))
        await work(posts, found.user_id)
        wishes, brand = await posts.wishes(found.user_id), await posts.brand(found.user_id)
    holding = dataclasses.asdict(wishes.over(posts.defaults))
    parts = {part.part: dataclasses.asdict(part) for part in brand}
    return {"account": found.name, **holding, "set": list(wishes.names), "brand": parts}


def make_posts(installation: Installation, clip: str, presets: Sequence[str]) -> dict[str, Any]:
    """Ask for posts of a clip; returns each with its state. Raises as `command_pool` and `AskedPosts.make`."""

    async def run() -> list[dict[str, Any]]:
        from coordinator.app.asked_posts import AskedPosts
        from coordinator.jobs.engine import PgQueuerQueue
        from coordinator.jobs.placing import Placing
        from coordinator.posts import check_preset

        for preset in presets:
            check_preset(preset)
        async with command_pool(installation) as pool:
            placing = Placing(pool)
            await placing.look()
            asked = AskedPosts(pool, PgQueuerQueue(placing))
            return [dataclasses.asdict(await asked.make(clip, preset)) for preset in presets]

    return {"posts": asyncio.run(run())}
