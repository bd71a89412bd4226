"""What the command line does with accounts and pairing, on the running installation's database."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from coordinator.app.installation import Installation
from coordinator.errors import EnvironmentProblem, InputUnusable
from coordinator.settings import Config, is_loopback

if TYPE_CHECKING:
    import asyncpg

    from coordinator.identity.accounts import Accounts

# A server that is starting answers by then; one that is not there is told soon.
_WAIT_S = 5.0
_EVERYWHERE = ("0.0.0.0", "::")


def with_accounts(
    installation: Installation, work: Callable[[Accounts], Awaitable[dict[str, Any]]]
) -> dict[str, Any]:
    """Run `work` on the accounts and return what it returns.

    Raises:
        DatabaseUnavailable: No database runs, or it does not answer.
        EnvironmentProblem: Its schema is older than this program.
    """
    from coordinator.identity.accounts import Accounts

    async def run() -> dict[str, Any]:
        async with command_pool(installation) as pool:
            return await work(Accounts(pool))

    return asyncio.run(run())


def new_code(installation: Installation, name: str) -> dict[str, Any]:
    """A code for an account, and what to type on the PC. Raises as `with_accounts`, and for an unknown account."""
    from coordinator.identity.accounts import Accounts

    async def run() -> dict[str, Any]:
        async with command_pool(installation) as pool:
            account = await Accounts(pool).find(name)
            code = await installation.pairings(pool).new_code(account)
        fingerprint = _fingerprint(installation)
        address, notes = address_for_agents(installation.config, hostname=socket.gethostname())
        words = ["clippy", "pair", address, code.user_code]
        return {
            "account": account.name,
            "code": code.user_code,
            "expires_in_s": code.expires_in_s,
            "address": address,
            "fingerprint": fingerprint,
            "command": " ".join([*words, *(["--fingerprint", fingerprint] if fingerprint else [])]),
            "notes": notes,
        }

    return asyncio.run(run())


def approve(installation: Installation, user_code: str, name: str) -> dict[str, Any]:
    """The agent that shows the code shall speak for the account. Raises as `with_accounts`, and for unknown ones."""
    from coordinator.identity.accounts import Accounts

    async def run() -> dict[str, Any]:
        async with command_pool(installation) as pool:
            account = await Accounts(pool).find(name)
            agent = await installation.pairings(pool).approve(user_code, account)
        return {"account": account.name, **dataclasses.asdict(agent)}

    return asyncio.run(run())


def waiting(installation: Installation) -> dict[str, Any]:
    """Agents that show a code and wait. Raises as `with_accounts`."""

    async def run() -> dict[str, Any]:
        async with command_pool(installation) as pool:
            return {"waiting": [plain(one) for one in await installation.pairings(pool).waiting()]}

    return asyncio.run(run())


def plain(value: Any) -> dict[str, Any]:
    """A value of the model for JSON: times in ISO 8601."""
    return {
        key: item.isoformat() if isinstance(item, datetime.datetime) else item
        for key, item in dataclasses.asdict(value).items()
    }


def address_for_agents(config: Config, *, hostname: str) -> tuple[str, list[str]]:
    """`host:port` for an agent to connect to, and what stands in its way. Pure.

    Args:
        hostname: how this machine calls itself, for a link that listens everywhere under no name of its own.
    """
    link, names = config.listen.grpc_endpoint, [name for name in config.tls.names if "*" not in name]
    notes = []
    if is_loopback(link.host):
        host = link.host
        notes.append(
            f"the link listens on {link.host}, which only this machine reaches; for others set listen.grpc, e.g. "
            f'"0.0.0.0:{link.port}", and tls.names'
        )
    elif names:
        host = names[0]
    else:
        host = hostname if link.host in _EVERYWHERE else link.host
        if not config.tls.certificate_file:
            notes.append(
                f"the certificate is for this machine alone: agents elsewhere refuse it until tls.names holds {host!r}"
            )
    if link.port == 0:
        raise InputUnusable(
            "listen.grpc has port 0, another one at each start; agents need a port that stays"
        )
    return f"[{host}]:{link.port}" if ":" in host else f"{host}:{link.port}", notes


@contextlib.asynccontextmanager
async def command_pool(installation: Installation) -> AsyncIterator[asyncpg.Pool]:
    """A few connections for one command.

    Raises:
        DatabaseUnavailable: No database runs, or it does not answer within 5 s.
        EnvironmentProblem: Its schema is older than this program.
    """
    import asyncpg

    from coordinator.store.connect import connect

    pool = await connect(installation.database_url(), max_connections=2, wait_s=_WAIT_S)
    try:
        yield pool
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as exc:
        raise EnvironmentProblem(
            f"the database's schema is older than this program ({exc}); run `clippy-coordinator migrate`"
        ) from exc
    finally:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(pool.close(), 5)


def _fingerprint(installation: Installation) -> str | None:
    """Of our own authority; None where a public one issued the certificate."""
    from coordinator.ops.certificates import authority_fingerprint

    if installation.config.tls.certificate_file:
        return None
    return authority_fingerprint(installation.data)
