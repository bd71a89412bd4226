"""Everything on one machine: a supervisor, the embedded PostgreSQL, and one process for each part.

Boots in this order: lock, ports, PostgreSQL, migration, certificates and token, `serve`, the workers.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import structlog

from coordinator.app.installation import URL_FILE, Installation
from coordinator.ops.private_files import write_private
from coordinator.settings import STAGES

log = structlog.get_logger(__name__)


def run_all(installation: Installation) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code."""
    from coordinator.app.processes import check_ports, num_processes, serve_children
    from coordinator.ops.limits import raise_open_files, require_free
    from coordinator.ops.lock import DataLock
    from coordinator.ops.supervisor import STATE_FILE_NAME, ChildSpec, Service, Supervisor
    from coordinator.ops.tokens import load_token
    from coordinator.store.embedded import EmbeddedPostgres
    from coordinator.store.migrate import dump_into, migrate

    data, config = installation.data, installation.config
    installation.configure_logs(process="supervisor")
    raise_open_files()
    with contextlib.ExitStack() as stack:
        stack.enter_context(DataLock(data))
        require_free(data)
        check_ports(installation)
        services: list[Service] = []
        if not config.database.url:
            postgres = EmbeddedPostgres(data)
            stack.callback(postgres.stop)
            url = postgres.start()
            write_private(data / URL_FILE, f"{url}\n".encode())
            migrate(url, before=dump_into(data / "dumps", postgres.dump))
            services.append(postgres)
        shown, token = installation.certificate().shown, load_token(data)
        installation.identity_secret()
        _empty(installation.scratch)
        children = [
            ChildSpec(
                name=stage,
                argv=installation.command("worker", "--stage", stage),
                rank=1,
                scratch=installation.scratch / stage,
            )
            for stage in STAGES
        ]
        children += serve_children(installation, num_processes(config, is_alone=False))
        told = {
            "page": f"http://{config.listen.web_endpoint}/",
            "link": str(config.listen.grpc_endpoint),
            "ca_file": str(data / "tls" / "ca.pem") if shown.ca_pem else "",
            "token_file": str(token.path),
        }
        supervisor = Supervisor(children, state_file=data / STATE_FILE_NAME, services=services, told=told)
        log.info("coordinator_started", page=told["page"], link=told["link"])
        return supervisor.run()


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
