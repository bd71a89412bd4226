"""A data directory and its configuration: what every process of it is built from."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coordinator.errors import DatabaseUnavailable, EnvironmentProblem, InputUnusable
from coordinator.log import configure_logs
from coordinator.settings import Config

if TYPE_CHECKING:
    import asyncpg

    from coordinator.identity.pairing import Pairings
    from coordinator.identity.tokens import AccessTokens
    from coordinator.ops.certificates import ServerCertificate
    from coordinator.ops.shown_certificate import FileCertificate, OwnCertificate
    from coordinator.ports import ObjectStore
    from coordinator.speech.choose import SpeechSpec
    from coordinator.speech.remote import RemoteSpeech
    from coordinator.store.objects import LocalObjects

# Written by the supervisor, 0600: the embedded server's address holds a password.
URL_FILE = "database.url"
SECRET_FILE = "identity.secret"


class Installation:
    """A data directory and its configuration: what every process of it is built from."""

    def __init__(self, data: Path, config: Config, *, config_file: Path | None = None) -> None:
        """Args: config_file: the file that was named on the command line; children are given it, too."""
        self.data = data
        self.config = config
        self.config_file = config_file

    def command(self, *words: str) -> list[str]:
        """The command line of another process of this installation."""
        named = ["--config", str(self.config_file)] if self.config_file is not None else []
        return [sys.executable, "-m", "coordinator", "--data", str(self.data), *named, *words]

    @property
    def scratch(self) -> Path:
        """Files of work under way; what a kill left there is emptied at start."""
        return self.data / "scratch"

    def scratch_of(self, process: str) -> Path:
        """The part of `scratch` of a stage's workers, or of one `serve` process; made if need be."""
        folder = self.scratch / process
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    @property
    def spool(self) -> Path:
        return self.data / "spool"

    @property
    def models(self) -> Path:
        return Path(self.config.asr.model_dir) if self.config.asr.model_dir else self.data / "models"

    def backups(self) -> list[str]:
        """Copies of the database that we know of, in words: what is forgotten stays in them until they are replaced."""
        if self.config.database.url:
            return ["backups of the database that its operator keeps, until they are replaced"]
        found = sorted(path.name for path in (self.data / "dumps").glob("*.dump"))
        if not found:
            return []
        return [
            f"words and titles in the database's dumps, until newer ones replace them: {', '.join(found)}"
        ]

    def model_dirs(self) -> tuple[Path, ...]:
        """Folders that hold one folder a model, the first of them ours to fetch into."""
        named = os.environ.get("CLIPPY_MODEL_DIR")
        return (self.models, *([Path(named)] if named else []))

    def database_url(self) -> str:
        """Where PostgreSQL is: as configured, else what the supervisor of this directory wrote down.

        Raises:
            DatabaseUnavailable: Neither; no supervisor runs.
        """
        if self.config.database.url:
            return self.config.database.url
        try:
            return (self.data / URL_FILE).read_text(encoding="utf-8").strip()
        except OSError as exc:
            raise DatabaseUnavailable(
                f"no database: run `clippy-coordinator all` for {self.data}, or set database.url"
            ) from exc

    def objects(self) -> ObjectStore:
        """The object store."""
        if self.config.objects.kind == "s3":
            from coordinator.store.objects import S3Objects

            chosen = self.config.objects
            return S3Objects(
                bucket=chosen.bucket,
                endpoint=chosen.endpoint,
                region=chosen.region,
                access_key_id=chosen.access_key_id,
                secret_access_key=chosen.secret_access_key,
            )
        return self.local_objects()

    def files_url(self) -> str:
        """Where other machines reach signed files and spools; empty: they do not."""
        listen = self.config.listen.files_endpoint
        if listen is None:
            return ""
        return self.config.serve.public_files_url.rstrip("/") or f"https://{listen}"

    def certificate_files(self) -> tuple[Path, Path]:
        """Certificate chain and key that this machine shows: as configured, else our own authority's.

        Raises:
            EnvironmentProblem: Our own cannot be read or made.
        """
        chosen = self.config.tls
        if chosen.certificate_file:
            return Path(chosen.certificate_file), Path(chosen.key_file)
        own = self._own_certificates()
        return own.certificate_path, own.key_path

    def internal_secret(self) -> bytes:
        """What machines of this installation sign requests to one another with: of the file they share, else our own.

        Raises:
            EnvironmentProblem: It cannot be read.
        """
        from coordinator.store.signatures import derived_secret, load_secret

        if self.config.identity.secret_file:
            return derived_secret(Path(self.config.identity.secret_file))
        return load_secret(self.data / "objects.secret")

    def trusted_files(self) -> list[Path]:
        """Certificates that other machines of this installation may show, beside those the system trusts."""
        own = [self._own_certificates().ca_path]
        return own + [Path(name) for name in (self.config.tls.certificate_file,) if name]

    def _own_certificates(self) -> ServerCertificate:
        from coordinator.ops.certificates import load_certificates

        return load_certificates(self.data, names=self.config.tls.names)

    def local_objects(self) -> LocalObjects:
        """Objects as files of this directory, with signed addresses of our own."""
        from coordinator.store.objects import LocalObjects
        from coordinator.store.signatures import load_secret

        return LocalObjects(
            self.data / "objects",
            base_url=self.files_url() or f"http://{self.config.listen.web_endpoint}",
            secret=load_secret(self.data / "objects.secret"),
        )

    def certificate(self) -> OwnCertificate | FileCertificate:
        """What agents are shown: the operator's files, else our own authority's certificate.

        Raises:
            InputUnusable: One of tls.names is no name.
            EnvironmentProblem: Files cannot be used.
        """
        from coordinator.ops.shown_certificate import FileCertificate, OwnCertificate

        tls = self.config.tls
        if tls.certificate_file:
            return FileCertificate(Path(tls.certificate_file), Path(tls.key_file))
        return OwnCertificate(self.data, names=tls.names)

    def identity_secret(self) -> bytes:
        """What tokens and codes are made under: of `identity.secret_file`, else made in the data directory.

        Raises:
            EnvironmentProblem: It cannot be read or made, or is too short.
        """
        from coordinator.store.signatures import load_secret

        named = self.config.identity.secret_file
        if not named:
            return load_secret(self.data / SECRET_FILE)
        path = Path(named)
        try:
            secret = path.read_bytes().strip()
        except OSError as exc:
            raise EnvironmentProblem(f"cannot read identity.secret_file {path}: {exc}") from exc
        if len(secret) < 32:
            raise EnvironmentProblem(
                f"identity.secret_file {path} holds {len(secret)} bytes; give at least 32, e.g. of openssl rand -hex 32"
            )
        return secret

    def access_tokens(self) -> AccessTokens:
        """Makes and reads the agents' access tokens. Raises as `identity_secret`."""
        from coordinator.identity.tokens import AccessTokens

        return AccessTokens(self.identity_secret(), lifetime_s=60 * self.config.identity.access_minutes)

    def pairings(self, pool: asyncpg.Pool) -> Pairings:
        """Codes, and what comes of them. Raises as `identity_secret`."""
        from coordinator.identity.pairing import Pairings

        lifetime_s = 60 * self.config.identity.code_minutes
        return Pairings(pool, self.identity_secret(), self.access_tokens(), lifetime_s=lifetime_s)

    def speech_spec(self) -> SpeechSpec:
        """Which engine hears, and where its model may lie.

        Raises:
            InputUnusable: The grammar file cannot be read.
        """
        from coordinator.speech.choose import SpeechSpec
        from coordinator.speech.resolve import ModelPlaces, hf_cache_folder

        phrases: tuple[str, ...] = ()
        if self.config.asr.grammar_file:
            path = Path(self.config.asr.grammar_file)
            try:
                lines = path.read_text(encoding="utf-8").splitlines()
            except (OSError, UnicodeDecodeError) as exc:
                raise InputUnusable(f"cannot read asr.grammar_file {path}: {exc}") from exc
            phrases = tuple(line.strip() for line in lines if line.strip())
        return SpeechSpec(
            engine=self.config.asr.engine,
            model=self.config.asr.model,
            places=ModelPlaces(
                env_folder=Path(folder) if (folder := os.environ.get("CLIPPY_WHISPER_MODEL")) else None,
                model_dirs=self.model_dirs(),
                hf_cache=hf_cache_folder(os.environ, Path.home()),
            ),
            grammar_phrases=phrases,
            remote=self._remote_speech(),
            max_batch=self.config.workers.transcription_batch,
        )

    def _remote_speech(self) -> RemoteSpeech | None:
        from coordinator.speech.remote import RemoteSpeech

        asr = self.config.asr
        if not asr.remote_url:
            return None
        key = asr.remote_key or os.environ.get("CLIPPY_ASR_KEY", "")
        if not key and asr.remote_key_file:
            try:
                key = Path(asr.remote_key_file).read_text(encoding="utf-8").strip().partition("\n")[0]
            except (OSError, UnicodeDecodeError) as exc:
                raise InputUnusable(f"cannot read asr.remote_key_file {asr.remote_key_file}: {exc}") from exc
        return RemoteSpeech(
            base_url=asr.remote_url,
            model=asr.remote_model,
            api_key=key.strip(),
            timeout_s=asr.remote_timeout_s,
        )

    def configure_logs(self, **bound: Any) -> None:
        """Logs of this process."""
        chosen = self.config.log
        configure_logs(
            level=chosen.level, style=chosen.format, keep_personal_data=chosen.keep_personal_data, **bound
        )

    @contextlib.asynccontextmanager
    async def pool(
        self, *, extra: int = 0, wait_s: float = 30.0, stop: asyncio.Event | None = None
    ) -> AsyncIterator[asyncpg.Pool]:
        """Connections to PostgreSQL.

        Args:
            extra: beside those that requests use, e.g. for listening.
            wait_s: how long a server that does not answer is waited for, at most until `stop`.
        """
        from coordinator.store.connect import connect

        chosen = self.config.database
        pool = await connect(
            self.database_url(),
            max_connections=chosen.max_connections + extra,
            wait_s=wait_s,
            connect_s=chosen.connect_s,
            idle_s=chosen.idle_s,
            stop=stop,
        )
        try:
            yield pool
        finally:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(pool.close(), 5)
