"""What an operator can set: one TOML file, overridden by `CLIPPY_COORDINATOR_...` variables.

`CLIPPY_COORDINATOR_ASR__ENGINE=pocketsphinx` sets `engine` in `[asr]`. A secret may stand in a file:
`CLIPPY_COORDINATOR_DATABASE__URL_FILE=/run/secrets/url`. The defaults suit one person on one machine. Read once,
by a composition root.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from coordinator.errors import InputUnusable

ENV_PREFIX = "CLIPPY_COORDINATOR_"
STAGES = ("media", "transcribe", "ai", "clip", "export", "maintenance")
# Read before there is a configuration, to find it; and the pipe of a supervisor (ops/lifeline.py).
_ENV_ELSEWHERE = {f"{ENV_PREFIX}DATA", f"{ENV_PREFIX}CONFIG", f"{ENV_PREFIX}LIFELINE"}
_SECRETS = {"database.url", "objects.secret_access_key", "objects.access_key_id"}


class Endpoint(msgspec.Struct, frozen=True):
    """Where we listen."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Listen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`host:port` of the agents' link and of the pages. Loopback only, until there are identities."""

    grpc: str = "127.0.0.1:7843"
    web: str = "127.0.0.1:7844"

    @property
    def grpc_endpoint(self) -> Endpoint:
        return parse_endpoint("listen.grpc", self.grpc)

    @property
    def web_endpoint(self) -> Endpoint:
        return parse_endpoint("listen.web", self.web)


class Database(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """PostgreSQL. `url` empty: an embedded server in the data directory."""

    url: str = ""
    max_connections: int = 5


class Objects(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where objects go. `kind` local: a folder in the data directory."""

    kind: Literal["local", "s3"] = "local"
    bucket: str = ""
    endpoint: str = ""
    region: str = "auto"
    access_key_id: str = ""
    secret_access_key: str = ""


class Asr(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Speech recognition. `model_dir` empty: `models` in the data directory."""

    engine: Literal["auto", "faster-whisper", "pocketsphinx"] = "auto"
    model: str = "base"
    grammar_file: str = ""
    allow_download: bool = True
    model_dir: str = ""


class AutoExport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which moments become posts by themselves: from `min_score` on, at most `per_hour` a session.

    `are_presses_exported`: every press's clip becomes a post too; else only those of a session without a moment.
    """

    min_score: float = 0.5
    preset: str = "vertical"
    per_hour: int = 12
    are_presses_exported: bool = True


class Workers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many jobs of each stage one worker process runs at once, and how jobs are held.

    Attributes:
        lease_s: a job whose worker was not heard of for so long is taken by another.
        grace_s: how long a worker that is asked to stop may finish what it runs.
    """

    media: int = 1
    transcribe: int = 1
    ai: int = 2
    clip: int = 2
    export: int = 1
    maintenance: int = 1
    transcription_batch: int = 16
    lease_s: float = 30.0
    grace_s: float = 20.0
    reconcile_s: float = 30.0
    cleanup_s: float = 60.0

    def concurrency(self, stage: str) -> int:
        """Jobs at once in one process of a stage."""
        return int(getattr(self, stage))


class Retention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hours until what was not kept expires, by tier; 0 is never. The one account `owner` never expires."""

    free_hours: float = 12
    pro_hours: float = 48
    business_hours: float = 168


class Log(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`format` auto: console on a terminal, else JSON. `keep_personal_data`: `pii_` keys stay in."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"
    keep_personal_data: bool = False


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it. `node` names this machine in chunks' places; `roll_up_s` is one object's share of a session."""

    node: str = "local"
    roll_up_s: float = 300.0
    listen: Listen = Listen()
    database: Database = Database()
    objects: Objects = Objects()
    asr: Asr = Asr()
    auto_export: AutoExport = AutoExport()
    workers: Workers = Workers()
    retention: Retention = Retention()
    log: Log = Log()


def find_data(data: Path | None = None, environment: Mapping[str, str] = os.environ) -> Path:
    """The data directory: as asked, else `CLIPPY_COORDINATOR_DATA`, else the platform's place. Makes nothing."""
    if data is None and (named := environment.get(f"{ENV_PREFIX}DATA")):
        data = Path(named)
    if data is None and sys.platform != "win32" and os.geteuid() == 0:
        # PostgreSQL refuses to run as root, and its own user cannot enter root's home.
        data = Path("/var/lib/clippy")
    if data is None:
        import platformdirs

        data = Path(platformdirs.user_data_dir("clippy-coordinator", appauthor=False))
    return data.expanduser().absolute()


def load_config(data: Path, path: Path | None = None, environment: Mapping[str, str] = os.environ) -> Config:
    """Read the file and the environment, and check every value.

    Args:
        path: the TOML file; by default `CLIPPY_COORDINATOR_CONFIG`, else `coordinator.toml` in `data`, which may be
            absent. A file that was named must be there.

    Raises:
        InputUnusable: Not TOML, an unknown name or a wrong value; the message names it, and the nearest known one.
    """
    named = path or (Path(value) if (value := environment.get(f"{ENV_PREFIX}CONFIG")) else None)
    values = _read_toml(named or data / "coordinator.toml", is_required=named is not None)
    known = _known_settings()
    _refuse_unknown_names(values, known, "")
    for name in sorted(environment):
        if name.startswith(ENV_PREFIX) and name not in _ENV_ELSEWHERE:
            _set_from_environment(values, name, environment[name], known)
    try:
        config = msgspec.convert(values, Config, strict=False)
    except msgspec.ValidationError as exc:
        raise InputUnusable(f"configuration: {exc}; mend the file or the variable") from exc
    _check(config)
    return config


def describe(config: Config) -> dict[str, Any]:
    """All settings as plain values for `config check`; secrets that are set read `(set)`."""
    plain: dict[str, Any] = msgspec.to_builtins(config)
    for secret in _SECRETS:
        section, name = secret.split(".")
        if plain[section][name]:
            plain[section][name] = "(set)"
    return plain


def parse_endpoint(name: str, text: str) -> Endpoint:
    """Read `host:port`.

    Raises:
        InputUnusable: It is not one, or not on this machine alone.
    """
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise InputUnusable(f"{name} = {text!r} is not host:port, e.g. 127.0.0.1:7843")
    if not _is_loopback(host):
        raise InputUnusable(
            f"{name} = {text!r} is open to other machines; without accounts this version listens on "
            f"127.0.0.1, ::1 or localhost only"
        )
    return Endpoint("127.0.0.1" if host == "localhost" else host, int(port))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read_toml(path: Path, *, is_required: bool) -> dict[str, Any]:
    try:
        if is_required or path.exists():
            return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise InputUnusable(
            f"cannot read the configuration {path}: {exc.strerror}; give a file that can be read"
        ) from exc
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise InputUnusable(f"cannot read the configuration {path}: {exc}; mend or delete it") from exc
    return {}


def _known_settings() -> set[str]:
    known = set()
    for field in msgspec.structs.fields(Config):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            known |= {f"{field.name}.{inner.name}" for inner in msgspec.structs.fields(field.type)}
        else:
            known.add(field.name)
    return known


def _refuse_unknown_names(values: dict[str, Any], known: set[str], prefix: str) -> None:
    for name, value in values.items():
        full = f"{prefix}{name}"
        if isinstance(value, dict) and not prefix:
            _refuse_unknown_names(value, known, f"{name}.")
        elif full not in known:
            near = difflib.get_close_matches(full, known, n=1)
            raise InputUnusable(f"unknown setting {full}" + (f"; did you mean {near[0]}?" if near else ""))


def _set_from_environment(values: dict[str, Any], name: str, text: str, known: set[str]) -> None:
    key = name.removeprefix(ENV_PREFIX).lower().replace("__", ".")
    if key not in known and key.removesuffix("_file") in _SECRETS:
        key = key.removesuffix("_file")
        try:
            text = Path(text).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as exc:
            raise InputUnusable(f"cannot read the file that {name} names ({text}): {exc}") from exc
    if key not in known:
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"; did you mean {ENV_PREFIX}{near[0].upper().replace('.', '__')}?" if near else ""
        raise InputUnusable(f"unknown variable {name}{hint}")
    section, _, inner = key.rpartition(".")
    target = values.setdefault(section, {}) if section else values
    target[inner] = text


def _check(config: Config) -> None:
    workers = config.workers
    rules: list[tuple[bool, str, object, str]] = [
        (
            config.node.replace("-", "").isalnum() and len(config.node) <= 64,
            "node",
            config.node,
            "letters, digits and -",
        ),
        (1 <= config.roll_up_s <= 3600, "roll_up_s", config.roll_up_s, "1..3600"),
        (
            2 <= config.database.max_connections <= 100,
            "database.max_connections",
            config.database.max_connections,
            "2..100",
        ),
        (
            config.objects.kind == "local" or len(config.objects.bucket) >= 3,
            "objects.bucket",
            config.objects.bucket,
            "a bucket's name, at least 3 characters, when objects.kind is s3",
        ),
        (
            0 <= config.auto_export.min_score <= 1,
            "auto_export.min_score",
            config.auto_export.min_score,
            "0..1",
        ),
        (
            config.auto_export.per_hour >= 0,
            "auto_export.per_hour",
            config.auto_export.per_hour,
            "at least 0",
        ),
        (2 <= workers.lease_s <= 600, "workers.lease_s", workers.lease_s, "2..600"),
        (0 <= workers.grace_s <= 600, "workers.grace_s", workers.grace_s, "0..600"),
        (1 <= workers.reconcile_s <= 600, "workers.reconcile_s", workers.reconcile_s, "1..600"),
        (5 <= workers.cleanup_s <= 3600, "workers.cleanup_s", workers.cleanup_s, "5..3600"),
        (
            1 <= workers.transcription_batch <= 64,
            "workers.transcription_batch",
            workers.transcription_batch,
            "1..64",
        ),
    ]
    rules += [
        (1 <= workers.concurrency(stage) <= 64, f"workers.{stage}", workers.concurrency(stage), "1..64")
        for stage in STAGES
    ]
    for is_kept, name, value, allowed in rules:
        if not is_kept:
            raise InputUnusable(f"{name} = {value!r} is not {allowed}")
    # Both are parsed here so that a wrong address is told before anything starts.
    grpc, web = config.listen.grpc_endpoint, config.listen.web_endpoint
    if grpc == web and grpc.port != 0:
        raise InputUnusable(f"listen.grpc and listen.web are both {grpc}; give them different ports")
