"""The workers of `bench jobs --part outage`: all six stages of the product, under its own supervisor.

python -m tests.bench.jobs_outage_workers DATA    SIGTERM ends it
"""

from __future__ import annotations

import sys
from pathlib import Path

from coordinator.app.installation import Installation
from coordinator.config import load_config
from coordinator.ops.supervisor import STATE_FILE_NAME, ChildSpec, Supervisor
from coordinator.settings import STAGES


def main(data: Path) -> int:
    """Keep a worker of each stage running until SIGTERM."""
    installation = Installation(data, load_config(data))
    installation.configure_logs(process="supervisor")
    children = [
        ChildSpec(
            name=stage,
            argv=installation.command("worker", "--stage", stage),
            scratch=installation.scratch / stage,
        )
        for stage in STAGES
    ]
    return Supervisor(children, state_file=data / STATE_FILE_NAME).run()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
