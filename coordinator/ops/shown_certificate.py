"""The certificate that is shown to those who connect, and when it changes: our own authority's, or an operator's files.

Asked every few seconds, from any thread: a look at the files' dates costs some microseconds, and only what has changed
is read. What cannot be used is told once, and what was shown before goes on being shown.
"""

from __future__ import annotations

import dataclasses
import datetime
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from coordinator.errors import CoordinatorError, EnvironmentProblem
from coordinator.ops.certificates import load_certificates, renewal_due_at

log = structlog.get_logger(__name__)

# How often the clock is looked at for our own certificate, which counts for 90 days and is renewed at 60.
_OWN_LOOK_S = 3600.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """PEM, and what agents need to know of the authority; both are empty where it is a public one."""

    chain: bytes
    key: bytes
    ca_pem: bytes = b""
    ca_sha256: bytes = b""


class OwnCertificate:
    """By our own authority; renewed while we run."""

    def __init__(
        self,
        data: Path,
        *,
        names: Sequence[str] = (),
        now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
        look_s: float = _OWN_LOOK_S,
    ) -> None:
        """Makes the certificate if need be. Raises as `load_certificates`."""
        self._data, self._names, self._now, self._look_s = data, tuple(names), now, look_s
        self._lock = threading.Lock()
        found = load_certificates(data, names=self._names, now=now())
        self._due_at, self._looked_s = renewal_due_at(found), time.monotonic()
        self.shown = Shown(chain=found.chain, key=found.key, ca_pem=found.ca_pem, ca_sha256=found.ca_sha256)

    def renewed(self) -> Shown | None:
        """What to show from now on; None: no change."""
        if time.monotonic() - self._looked_s < self._look_s or not self._lock.acquire(blocking=False):
            return None
        try:
            self._looked_s = time.monotonic()
            if self._now() < self._due_at:
                return None
            found = load_certificates(self._data, names=self._names, now=self._now())
        except CoordinatorError as exc:
            log.warning("certificate_not_renewed", problem=str(exc))
            return None
        finally:
            self._lock.release()
        self._due_at = renewal_due_at(found)
        self.shown = dataclasses.replace(self.shown, chain=found.chain, key=found.key)
        log.info("certificate_renewed", expires_at=found.expires_at.isoformat())
        return self.shown


class FileCertificate:
    """From files that somebody else renews."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Reads them.

        Raises:
            EnvironmentProblem: They cannot be read, or do not belong together.
        """
        self._certificate, self._key = certificate, key
        self._lock = threading.Lock()
        self._seen = self._dates()
        self.shown = _read_pair(certificate, key)

    def renewed(self) -> Shown | None:
        """What to show from now on; None: no change, or files that do not (yet) belong together."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            dates = self._dates()
            if dates == self._seen:
                return None
            # Taken down before they are read: a change in the middle is seen the next time.
            self._seen = dates
            self.shown = _read_pair(self._certificate, self._key)
        except EnvironmentProblem as exc:
            log.warning("certificate_not_taken_up", problem=str(exc))
            return None
        finally:
            self._lock.release()
        log.info("certificate_taken_up", file=self._certificate.name)
        return self.shown

    def _dates(self) -> tuple[tuple[int, int, int] | None, ...]:
        return _date(self._certificate), _date(self._key)


def read_client_ca(path: Path) -> bytes:
    """The authorities whose certificates agents must show, PEM.

    Raises:
        EnvironmentProblem: It cannot be read, or holds no certificate.
    """
    from cryptography import x509

    try:
        pem = path.read_bytes()
        x509.load_pem_x509_certificates(pem)
    except (OSError, ValueError) as exc:
        raise EnvironmentProblem(f"tls.client_ca_file {path} cannot be used: {exc}; give a PEM file") from exc
    return pem


def _date(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read_pair(certificate: Path, key: Path) -> Shown:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        chain, key_pem = certificate.read_bytes(), key.read_bytes()
        public = x509.load_pem_x509_certificates(chain)[0].public_key()
        private = serialization.load_pem_private_key(key_pem, password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise EnvironmentProblem(
            f"tls.certificate_file {certificate} and tls.key_file {key} cannot be used: {exc}; give PEM files, the key "
            f"without a passphrase"
        ) from exc
    if private.public_key() != public:
        raise EnvironmentProblem(f"tls.key_file {key} is not the key of tls.certificate_file {certificate}")
    return Shown(chain=chain, key=key_pem)
