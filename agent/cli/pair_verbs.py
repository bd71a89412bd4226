"""`pair`, `unpair`: this PC as a device of a coordinator's account. Through the engine, or without one by itself."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from agent.cli.answers import answer
from agent.errors import CoordinatorUntrusted, EngineNotRunning, InputUnusable
from agent.paths import AgentPaths

if TYPE_CHECKING:
    from agent.control.client import ControlClient
    from agent.uplink_ports import PairingDesk
    from protos.clippy.v1 import control_pb2


def pair(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    """Pair, or say how it is."""
    from agent.uplink.trust import parse_address, parse_fingerprint
    from protos.clippy.v1 import control_pb2

    if arguments.status:
        return _status(arguments, paths)
    if not arguments.url:
        raise InputUnusable(
            "say where the coordinator is: `clippy pair host:port`; or ask `clippy pair --status`"
        )
    request = control_pb2.PairCoordinatorRequest(
        address=str(parse_address(arguments.url)),
        code=arguments.code,
        fingerprint=parse_fingerprint(arguments.fingerprint),
        device_name=arguments.name,
        store=arguments.store,
    )
    with _desk(paths) as (desk, is_running):
        found = _follow(desk, request)
        if found.step == "confirm":
            _confirm(found, arguments)
            request.fingerprint = found.fingerprint
            found = _follow(desk, request)
    value = _value(found.pairing)
    lines = [f"paired with {value['coordinator']} as {value['device_name']} of {value['user_name']}"]
    lines += [found.pairing.note] if found.pairing.note else []
    if not is_running:
        lines.append("the engine sends there from its next start")
    answer(value, is_json=arguments.json, text="\n".join(lines))
    return 0


def unpair(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    """Give it up."""
    with _desk(paths) as (desk, _):
        done = desk.unpair()
    value = _value(done.pairing) | {"num_dropped": done.num_dropped, "problem": done.problem or None}
    lines = [f"unpaired from {value['coordinator']}; {done.num_dropped} chunks that waited will not be sent"]
    lines += [done.problem] if done.problem else []
    answer(value, is_json=arguments.json, text="\n".join(lines))
    return 0


def _follow(desk: PairingDesk, request: control_pb2.PairCoordinatorRequest) -> control_pb2.PairingProgress:
    """To the last step; a code to be approved is shown on stderr meanwhile."""
    from protos.clippy.v1 import control_pb2

    progress = control_pb2.PairingProgress()
    shown = ""
    is_terminal = sys.stderr.isatty()
    for progress in desk.pair(request, is_wanted=lambda: True):
        if progress.step != "waiting":
            continue
        if progress.user_code != shown:
            shown = progress.user_code
            print(
                f"approve the code {shown} at {progress.coordinator_name or 'the coordinator'} "
                f"within {progress.expires_in_s // 60} min; Ctrl+C ends this",
                file=sys.stderr,
                flush=True,
            )
        elif is_terminal:
            print(f"\rwaiting, {progress.expires_in_s} s left ", end="", file=sys.stderr, flush=True)
    if shown and is_terminal:
        print(file=sys.stderr)
    return progress


def _confirm(found: control_pb2.PairingProgress, arguments: argparse.Namespace) -> None:
    """Ask the person at the terminal; without one nobody can say yes."""
    from agent.uplink.trust import shown_fingerprint

    shown = shown_fingerprint(found.fingerprint)
    if arguments.json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise CoordinatorUntrusted(
            f"nobody has confirmed the coordinator; it says its fingerprint is {shown}. Compare it with what the "
            f"coordinator itself shows, then add --fingerprint {found.fingerprint}"
        )
    print(
        f"{arguments.url} is {found.coordinator_name or 'a coordinator'} with the fingerprint\n  {shown}\n"
        "Does the coordinator itself show the same? [y/N] ",
        end="",
        file=sys.stderr,
        flush=True,
    )
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CoordinatorUntrusted("not confirmed: nothing was sent, and this PC is not paired")


@contextlib.contextmanager
def _desk(paths: AgentPaths) -> Iterator[tuple[PairingDesk, bool]]:
    """The running engine's, and True; else our own, and no engine starts meanwhile."""
    from agent.control.client import ControlClient

    client = ControlClient(paths.control_socket)
    try:
        client.status()
    except EngineNotRunning:
        client.close()
        with _own_desk(paths) as desk:
            yield desk, False
        return
    try:
        yield _EnginesDesk(client), True
    finally:
        client.close()


@contextlib.contextmanager
def _own_desk(paths: AgentPaths) -> Iterator[PairingDesk]:
    from agent.config import load_config
    from agent.engine.lock import engine_locked
    from agent.engine.pairing import Pairings
    from agent.paths import make_private

    make_private(paths.data)
    with engine_locked(paths):
        yield Pairings(paths, load_config(paths.config_file))


class _EnginesDesk:
    """Port `PairingDesk` over the control API."""

    def __init__(self, client: ControlClient) -> None:
        self._client = client

    def pair(
        self, request: control_pb2.PairCoordinatorRequest, *, is_wanted: Callable[[], bool]
    ) -> Iterator[control_pb2.PairingProgress]:
        """As the port says; who closes the iteration gives up."""
        return iter(self._client.pair(request))

    def unpair(self) -> control_pb2.UnpairCoordinatorResponse:
        """As the port says."""
        return self._client.unpair()


def _status(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    from agent.control.client import ControlClient
    from agent.control.words import pairing_lines
    from agent.uplink.pairing_record import load_record

    client = ControlClient(paths.control_socket)
    state, problem = None, None
    try:
        uplink = client.status().uplink
        pairing = uplink.pairing if uplink.HasField("pairing") else None
        state, problem = uplink.state, uplink.problem or None
    except EngineNotRunning:
        record = load_record(paths)
        pairing = record.shown() if record is not None and record.is_active else None
    finally:
        client.close()
    value = _value(pairing) if pairing is not None else {"coordinator": None}
    value |= {"is_paired": pairing is not None, "state": state, "problem": problem}
    lines = ["not paired"] if pairing is None else pairing_lines(pairing)
    lines += [f"link: {state}" if not problem else f"link: {state}; {problem}"] if state else []
    answer(value, is_json=arguments.json, text="\n".join(lines))
    return 0


def _value(pairing: control_pb2.Pairing) -> dict[str, Any]:
    """For JSON; what is not known is null."""
    names = "coordinator coordinator_name fingerprint user_name tier device_id device_name store note".split()
    return {name: getattr(pairing, name) or None for name in names}
