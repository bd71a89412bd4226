"""The verbs `users` and `pair`: accounts, their devices, and codes. `coordinator.cli` prints what they return."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from coordinator.errors import InputUnusable

if TYPE_CHECKING:
    from coordinator.app.installation import Installation
    from coordinator.identity.accounts import Accounts
    from coordinator.model.accounts import Account

# As coordinator.model.accounts; repeated here so that --help imports nothing.
_TIERS, _ROLES = ("free", "pro", "business"), ("streamer", "operator", "admin")
_TIER_HELP = "free, pro or business: what the account may have, and who waits first under load"
_ROLE_HELP = "streamer: own things; operator: also sees everybody's and pauses; admin: also accounts"
_PAIR_TEXT = """\
pair NAME                     make a code for an account, and print what to type on the PC
pair --list                   agents that show a code of their own and wait
pair --approve CODE NAME      the agent that shows CODE shall speak for the account NAME

A code counts once and for minutes (identity.code_minutes). Compare the fingerprint on the PC with the one printed
here: it says that the PC speaks with this coordinator and nobody between.
"""


def add_verbs(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add both to the subparsers of the command line; `common` has the options of every verb."""
    users = verbs.add_parser("users", help="accounts and their devices")
    whats = users.add_subparsers(dest="what", required=True, metavar="WHAT")

    def add(what: str, text: str, name: str = "NAME") -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = whats.add_parser(
            what, help=text, description=text, parents=[common]
        )
        if name:
            parser.add_argument("name", metavar=name)
        return parser

    add("list", "all accounts", "")
    adding = add("add", "a new account")
    adding.add_argument("--tier", choices=_TIERS, default="free", help=f"{_TIER_HELP} (free)")
    adding.add_argument("--role", choices=_ROLES, default="streamer", help=f"{_ROLE_HELP} (streamer)")
    setting = add(
        "set", "change an account; agents that are connected come back with it within half a minute"
    )
    setting.add_argument("--tier", choices=_TIERS, help=_TIER_HELP)
    setting.add_argument("--role", choices=_ROLES, help=_ROLE_HELP)
    add("close", "nobody may speak for an account any more; what it owns stays")
    add("open", "undo close; its devices that were not revoked may speak again")
    add("devices", "what was ever paired with an account, the newest first")
    revoking = add("revoke", "end a device: lost, stolen or sold", "DEVICE_ID")
    revoking.add_argument("--reason", default="revoked by an operator", help="for the list of devices")

    pairing = verbs.add_parser(
        "pair",
        help="let an agent speak for an account: print a code, or approve the one it shows",
        usage="clippy-coordinator pair [--json] NAME | --list | --approve CODE NAME",
        description=_PAIR_TEXT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common],
    )
    pairing.add_argument("name", nargs="?", metavar="NAME", help="the account")
    either = pairing.add_mutually_exclusive_group()
    either.add_argument("--approve", metavar="CODE", help="the code that the agent shows")
    either.add_argument("--list", action="store_true", help="agents that wait to be approved")


def users(installation: Installation, arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Do it; returns what to print, as JSON and as text. Raises as `with_accounts` and `Accounts`."""
    from coordinator.app.identity_commands import plain, with_accounts

    async def work(accounts: Accounts) -> dict[str, Any]:
        if arguments.what == "list":
            return {"accounts": [plain(one) for one in await accounts.list()]}
        if arguments.what == "devices":
            found = await accounts.devices(arguments.name)
            return {"account": arguments.name, "devices": [plain(one) for one in found]}
        if arguments.what == "revoke":
            is_new = await accounts.revoke(arguments.name, arguments.reason)
            return {"device_id": arguments.name, "was_revoked_before": not is_new}
        return plain(await _change(accounts, arguments))

    value = with_accounts(installation, work)
    tell = _TEXTS.get(arguments.what, _account_text)
    return value, tell(value)


async def _change(accounts: Accounts, arguments: argparse.Namespace) -> Account:
    name = arguments.name
    if arguments.what == "add":
        return await accounts.add(name, tier=arguments.tier, role=arguments.role)
    if arguments.what == "close":
        return await accounts.close(name)
    if arguments.what == "open":
        return await accounts.open(name)
    if arguments.tier is None and arguments.role is None:
        raise InputUnusable("nothing to set; give --tier, --role or both")
    account = await accounts.find(name)
    if arguments.tier is not None:
        account = await accounts.set_tier(name, arguments.tier)
    if arguments.role is not None:
        account = await accounts.set_role(name, arguments.role)
    return account


def pair(installation: Installation, arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Do it; returns what to print, as JSON and as text. Raises as `with_accounts` and `Pairings`."""
    from coordinator.app import identity_commands

    if arguments.list:
        if arguments.name is not None:
            raise InputUnusable(f"--list takes no account, but {arguments.name!r} was given")
        value = identity_commands.waiting(installation)
        return value, _waiting_text(value)
    if arguments.name is None:
        raise InputUnusable("for which account? give its name; `clippy-coordinator users list` shows all")
    if arguments.approve is not None:
        value = identity_commands.approve(installation, arguments.approve, arguments.name)
        agent = value["name"] or value["agent_id"]
        return value, f"{agent} (agent {value['version']}) speaks for {value['account']} within seconds"
    value = identity_commands.new_code(installation, arguments.name)
    return value, _code_text(value)


def _code_text(value: dict[str, Any]) -> str:
    minutes = f"{value['expires_in_s'] / 60:g}"
    lines = [f"code          {value['code']}   for {value['account']}; counts once, for {minutes} minutes"]
    if value["fingerprint"]:
        lines.append(f"fingerprint   {value['fingerprint']}")
    lines += ["type on the PC:", f"  {value['command']}"]
    return "\n".join([*lines, *(f"note: {note}" for note in value["notes"])])


def _waiting_text(value: dict[str, Any]) -> str:
    lines = [
        f"{one['name'] or one['agent_id']}  agent {one['version']}  since {one['made_at']:.16}"
        for one in value["waiting"]
    ]
    return "\n".join(lines) or "nobody waits"


def _account_text(value: dict[str, Any]) -> str:
    closed = ", closed" if value["is_closed"] else ""
    return f"{value['name']}: {value['tier']}, {value['role']}{closed}, {value['num_devices']} device(s)"


def _devices_text(value: dict[str, Any]) -> str:
    lines = []
    for one in value["devices"]:
        ended = f"  revoked {one['revoked_at']:.16}: {one['revoked_reason']}" if one["revoked_at"] else ""
        lines.append(
            f"{one['device_id']}  {one['name'] or one['agent_id']}  paired {one['paired_at']:.16}"
            f"  seen {one['last_seen_at']:.16}{ended}"
        )
    return "\n".join(lines) or f"{value['account']} has no devices; `clippy-coordinator pair` makes a code"


def _revoked_text(value: dict[str, Any]) -> str:
    if value["was_revoked_before"]:
        return f"{value['device_id']} was revoked before"
    return f"{value['device_id']} is revoked; if it is connected, its stream ends within half a minute"


def _accounts_text(value: dict[str, Any]) -> str:
    return "\n".join(_account_text(one) for one in value["accounts"])


_TEXTS: dict[str, Callable[[dict[str, Any]], str]] = {
    "list": _accounts_text,
    "devices": _devices_text,
    "revoke": _revoked_text,
}
