"""The verb `llm`: can the language models of the configuration be used, and what was used of them."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coordinator.app.installation import Installation
    from coordinator.llm.commands import ProviderCheck
    from coordinator.llm.usage import Usage

_UNUSABLE = 3
_MICROS = 1_000_000
_TEXT = """\
llm check                     asks each provider of the configuration for its list of models, and says what to do
llm usage                     calls, tokens and money since midnight UTC, by tier and provider; what limits hold back

`check` costs nothing and needs no running coordinator; its exit code is 3 where a provider cannot be used, else 0. No
provider at all is fine: moments are then found without one. `usage` needs the coordinator's database.
"""
_NONE = "no language model is configured; none is needed. See llm.providers in docs/operations.md"


def add_verb(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add it to the command line; `common` has the options of every verb."""
    llm = verbs.add_parser(
        "llm",
        help="language models: can they be used, and what was used of them",
        description=_TEXT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whats = llm.add_subparsers(dest="what", required=True, metavar="WHAT")
    for what, text in (
        ("check", "ask each provider for its models; exit code 3 where one cannot be used"),
        ("usage", "what was used today by tier and provider, and how the limits stand now"),
    ):
        whats.add_parser(what, help=text, description=text, parents=[common])


def run(installation: Installation, arguments: argparse.Namespace) -> int:
    """Do it, and print the answer; returns the exit code. Raises as `llm_commands`."""
    from coordinator.app.llm_commands import check_providers, llm_usage

    if arguments.what == "check":
        checks = check_providers(installation)
        value = {"providers": [_check_value(check) for check in checks]}
        _print(value, "\n".join(_checks_text(checks)) or _NONE, arguments)
        return 0 if all(check.is_usable for check in checks) else _UNUSABLE
    found = llm_usage(installation)
    _print(_usage_value(found), "\n".join(_usage_text(found)), arguments)
    return 0


def _check_value(check: ProviderCheck) -> dict[str, Any]:
    return {**dataclasses.asdict(check), "is_usable": check.is_usable, "advice": check.advice or None}


def _checks_text(checks: Sequence[ProviderCheck]) -> list[str]:
    if not checks:
        return []
    lines = [
        f"{'':<5}{'provider':<12}{'model':<28}{'key':<5}{'a minute':>9}{'tokens':>9}{'a day':>8}  address"
    ]
    for check in checks:
        limits = [str(check.limits.get(name) or "-") for name in ("rpm", "tpm", "rpd")]
        mark, key = "ok" if check.is_usable else "FAIL", "yes" if check.has_key else "no"
        lines.append(
            f"{mark:<5}{check.name:<12}{check.model or '-':<28}{key:<5}"
            f"{limits[0]:>9}{limits[1]:>9}{limits[2]:>8}  {check.base_url or '-'}"
        )
        if check.advice:
            lines.append(f"{'':<5}{check.advice}")
    return lines


def _usage_value(found: Usage) -> dict[str, Any]:
    return {
        "today": [
            {**dataclasses.asdict(used), "cost_usd": used.cost_micros / _MICROS} for used in found.today
        ],
        "limit_usd": {tier: micros / _MICROS for tier, micros in found.limit_micros.items()},
        "providers": {name: dataclasses.asdict(state) for name, state in found.states.items()},
        "pressures": dict(found.pressures),
    }


def _usage_text(found: Usage) -> list[str]:
    lines = [f"{'tier':<10}{'provider':<12}{'calls':>8}{'tokens':>11}{'$ today':>10}{'of $':>9}"]
    for used in found.today:
        limit = found.limit_micros.get(used.tier, found.limit_micros["free"])
        lines.append(
            f"{used.tier:<10}{used.provider:<12}{used.num_calls:>8}{used.num_tokens:>11}"
            f"{used.cost_micros / _MICROS:>10.4f}{limit / _MICROS:>9.2f}"
        )
    if not found.today:
        lines.append("no call today")
    for name, state in found.states.items():
        standing = "may be asked"
        if state.rest_s > 0:
            standing = f"rests {state.rest_s:.0f} s more ({state.rest_reason})"
        elif state.is_open:
            standing = "failed too often, and is left alone for a while"
        lines.append(
            f"{name}: {standing}; {state.num_calls} calls and {state.num_tokens} tokens in the last minute"
        )
    lines += [f"{worker}: {_pressure_words(value)}" for worker, value in found.pressures.items()]
    return lines or [_NONE]


def _pressure_words(pressure: float) -> str:
    if pressure <= 0:
        return "asks about every window"
    tier = ("free", "pro", "business")[min(int(pressure), 2)]
    return f"pressure {pressure:.1f} of 3: windows of the tier {tier} with low scores are not asked about"


def _print(value: dict[str, Any], text: str, arguments: argparse.Namespace) -> None:
    print(json.dumps(value) if arguments.json else text, flush=True)
