"""`engine`, `status`, `devices`, `doctor`, `stop`: the recorder itself."""

from __future__ import annotations

import argparse
import sys

from agent.cli.answers import answer, with_numbers
from agent.errors import EngineNotRunning
from agent.paths import AgentPaths


def engine(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    """Record until stopped."""
    from agent.engine.run import run_engine

    return run_engine(
        paths,
        is_headless=arguments.headless,
        is_generated=arguments.generated,
        log_level=arguments.log_level,
        is_json_log=arguments.json,
    )


def status(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    """Is the buffer ready, and what does it cost?"""
    from agent.cli.redraw import Redraw
    from agent.control.client import ControlClient
    from agent.control.words import status_lines, status_value

    client = ControlClient(paths.control_socket)
    redraw = Redraw(sys.stdout) if arguments.watch and not arguments.json and sys.stdout.isatty() else None
    for status in client.watch_status() if arguments.watch else [client.status()]:
        if redraw is not None:
            redraw.show(status_lines(status))
            continue
        text = "" if arguments.json else "\n".join(status_lines(status))
        answer(
            with_numbers(status_value(status)) if arguments.json else None, is_json=arguments.json, text=text
        )
    return 0


def devices(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    """What could be recorded."""
    from agent.control.client import ControlClient
    from agent.engine.surveying import list_devices

    try:
        devices = ControlClient(paths.control_socket).devices()
    except EngineNotRunning:
        devices = list_devices(paths)
    rows = [
        {
            "kind": device.kind,
            "name": device.name,
            "detail": device.detail,
            "is_chosen": device.is_chosen,
            "is_usable": device.is_usable,
            "problem": device.problem or None,
            "cost_ms": device.cost_ms or None,
        }
        for device in devices
    ]
    text = "\n".join(
        f"{'*' if row['is_chosen'] else ' '} {row['kind']:14} {row['name']:40} {row['problem'] or row['detail']}"
        for row in rows
    )
    answer({"devices": rows}, is_json=arguments.json, text=text or "no devices")
    return 0


def doctor(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    """What works here."""
    from agent.engine.surveying import examine

    checks = examine(paths, is_self_check=arguments.self_check)
    value = {
        "checks": [
            {"name": c.name, "is_ok": c.is_ok, "detail": c.detail, "advice": c.advice or None} for c in checks
        ]
    }
    lines = [
        f"{'ok  ' if check.is_ok else 'FAIL'} {check.name}: {check.detail}{f'; {check.advice}' if check.advice else ''}"
        for check in checks
    ]
    answer(value, is_json=arguments.json, text="\n".join(lines))
    return 0 if all(check.is_ok or not check.is_needed for check in checks) else 3


def stop(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    """Stop the engine."""
    from agent.control.client import ControlClient

    ControlClient(paths.control_socket).stop_engine()
    answer({"is_stopping": True}, is_json=arguments.json, text="stopping")
    return 0
