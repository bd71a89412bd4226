"""How many processes serve agents on this machine, and who keeps them running.

`coordinator serve` with one process is that process. With more it is a supervisor of them: it holds no grpc object and
no connection, its children share the ports by SO_REUSEPORT, and the first of them has the pages. Under
`coordinator all` they are children of its supervisor.
"""

from __future__ import annotations

import os
import sys

import structlog

from coordinator.app.installation import Installation
from coordinator.ops import lifeline
from coordinator.ops.limits import raise_open_files
from coordinator.ops.ports import check_port
from coordinator.ops.supervisor import ChildSpec, Supervisor
from coordinator.ops.tokens import load_token
from coordinator.settings import Config, Endpoint

log = structlog.get_logger(__name__)

STATE_FILE_NAME = "serve.json"
# The children of a supervisor that was just killed let go of their ports within seconds.
_PORT_WAIT_S = 10.0
# Beside the drain: what is under way is made durable, a roll-up finishes its object, the pages close.
_STOP_BESIDE_DRAIN_S = 20.0


def can_share_ports() -> bool:
    """Does the kernel spread connections over processes that listen on one port? macOS has the option, not the deed."""
    return sys.platform == "linux"


def num_processes(config: Config, *, is_alone: bool) -> int:
    """How many processes serve: as configured; 0 is one under `all`, and for `serve` alone two where two can run."""
    wanted = config.serve.processes or (min(2, os.cpu_count() or 1) if is_alone else 1)
    if wanted > 1 and not can_share_ports():
        log.info("one_process_serves", reason=f"{sys.platform} spreads no connections over processes")
        return 1
    return wanted


def node_of(config: Config, process: int) -> str:
    """The node that a process is: the first has the configured name, so that one process goes on as two."""
    return config.node if process == 0 else f"{config.node}-{process}"


def process_name(process: int) -> str:
    """How supervisor, logs and scratch folder name it."""
    return "serve" if process == 0 else f"serve-{process}"


def serve_children(installation: Installation, num: int) -> list[ChildSpec]:
    """The processes that serve, for a supervisor: the first to start and the last to stop."""
    return [
        ChildSpec(
            name=process_name(process),
            argv=installation.command("serve", "--process", str(process), "--of", str(num)),
            rank=0,
            scratch=installation.scratch / process_name(process),
            stop_s=2 * installation.config.serve.drain_s + _STOP_BESIDE_DRAIN_S,
        )
        for process in range(num)
    ]


def addresses(config: Config) -> list[tuple[str, Endpoint]]:
    """What `serve` listens on, each with the setting that says so."""
    listen = config.listen
    places = [("listen.grpc", listen.grpc_endpoint), ("listen.web", listen.web_endpoint)]
    return places + ([("listen.files", listen.files_endpoint)] if listen.files_endpoint else [])


def check_ports(installation: Installation) -> None:
    """Are the addresses that `serve` listens on free? Asked before anybody shares them.

    Raises:
        PortBusy, EnvironmentProblem: And says which setting to change.
    """
    for setting, place in addresses(installation.config):
        check_port(place.host, place.port, setting=setting, wait_s=_PORT_WAIT_S)


def run_serve_alone(installation: Installation) -> int:
    """`coordinator serve`: one process, or the supervisor of several; returns the exit code.

    Raises:
        PortBusy, EnvironmentProblem: An address cannot be listened on.
    """
    installation.configure_logs(process="serve")
    raise_open_files()
    num = num_processes(installation.config, is_alone=True)
    if num == 1:
        from coordinator.app.serving import run_serve

        return run_serve(installation, process=0, num_processes=1)
    lifeline.hold(grace_s=2 * installation.config.serve.drain_s + _STOP_BESIDE_DRAIN_S)
    check_ports(installation)
    # Said here: children that cannot begin would be started again and again.
    installation.database_url()
    # Made once, before several processes would make them at once.
    installation.certificate()
    installation.identity_secret()
    load_token(installation.data)
    supervisor = Supervisor(serve_children(installation, num), state_file=installation.data / STATE_FILE_NAME)
    log.info("serve_started", num_processes=num, link=str(installation.config.listen.grpc_endpoint))
    return supervisor.run()
