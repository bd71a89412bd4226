"""What an operator can set: one TOML file, overridden by `CLIPPY_COORDINATOR_...` variables.

`CLIPPY_COORDINATOR_ASR__ENGINE=pocketsphinx` sets `engine` in `[asr]`. A secret may stand in a file:
`CLIPPY_COORDINATOR_DATABASE__URL_FILE=/run/secrets/url`. The defaults suit one person on one machine. Read once,
by a composition root.
"""

from __future__ import annotations

import difflib
import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from coordinator.errors import InputUnusable
from coordinator.layouts import layout_named, layouts_file
from coordinator.settings import STAGES, Config, Llm, Workers, place_named

ENV_PREFIX = "CLIPPY_COORDINATOR_"
# Read before there is a configuration, to find it; and the pipe of a supervisor (ops/lifeline.py).
_ENV_ELSEWHERE = {f"{ENV_PREFIX}DATA", f"{ENV_PREFIX}CONFIG", f"{ENV_PREFIX}LIFELINE"}
# Ten years; what is to stay longer is to stay: 0.
MOST_HOURS = 87_600
_SECRETS = {"asr.remote_key", "database.url", "objects.secret_access_key", "objects.access_key_id"}


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
            Or the layout that it names is not among those that are kept.
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
    if config.auto_export.layout:
        layout_named(config.auto_export.layout, layouts_file(data))
    return config


def describe(config: Config) -> dict[str, Any]:
    """All settings as plain values for `config check`; secrets that are set read `(set)`."""
    plain: dict[str, Any] = msgspec.to_builtins(config)
    for secret in _SECRETS:
        section, name = secret.split(".")
        if plain[section][name]:
            plain[section][name] = "(set)"
    for provider in plain["llm"]["providers"]:
        if provider["api_key"]:
            provider["api_key"] = "(set)"
    return plain


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


def caption_style_names() -> list[str]:
    """Return the styles there are."""
    return sorted(_rows_of("captions/styles.toml"))


def post_presets() -> dict[str, str]:
    """Return the presets that a post may have (those that make an MP4), each with where it goes."""
    rows = _rows_of("output/presets.toml")
    return {name: row["about"] for name, row in sorted(rows.items()) if _is_film(row, rows)}


def post_lengths_s() -> dict[str, float]:
    """Return how long a post may be, by preset, for those whose platform says so."""
    rows = _rows_of("output/presets.toml")
    found = {name: {**rows.get(row.get("same_as", ""), {}), **row} for name, row in rows.items()}
    return {name: float(row["max_duration_s"]) for name, row in found.items() if "max_duration_s" in row}


def _is_film(row: dict[str, Any], rows: dict[str, dict[str, Any]]) -> bool:
    base = rows.get(row.get("same_as", ""), {})
    return bool({**base, **row}.get("container", "mp4") == "mp4")


def _rows_of(table: str) -> dict[str, dict[str, Any]]:
    """Read a table of the media's as data: the code that works by it lies above this."""
    path = Path(__file__).parent / "media" / table
    found = tomllib.loads(path.read_text(encoding="utf-8"))
    return {name: row for name, row in found.items() if isinstance(row, dict)}


# Whether a value may stay, its name, the value, and what is allowed.
_Rule = tuple[bool, str, object, str]


def _check(config: Config) -> None:
    for is_kept, name, value, allowed in (
        *_rules(config),
        *_worker_rules(config.workers),
        *_llm_rules(config.llm),
    ):
        if not is_kept:
            raise InputUnusable(f"{name} = {value!r} is not {allowed}")
    for place in config.workers.places:
        place_named(place)
    # All are parsed here so that a wrong address is told before anything starts.
    grpc, web = config.listen.grpc_endpoint, config.listen.web_endpoint
    if grpc == web and grpc.port != 0:
        raise InputUnusable(f"listen.grpc and listen.web are both {grpc}; give them different ports")
    files = config.listen.files_endpoint
    if files is not None and files in (grpc, web) and files.port != 0:
        raise InputUnusable(f"listen.files is {files}, which is taken; give it a port of its own")
    if files is not None and files.host in ("0.0.0.0", "::") and not config.serve.public_files_url:
        raise InputUnusable(
            f"listen.files is {files}, which is no address that others can use; set serve.public_files_url"
        )
    if config.serve.public_files_url and files is None:
        raise InputUnusable("serve.public_files_url is set and nothing listens there; set listen.files, too")
    if config.serve.public_files_url and not config.serve.public_files_url.startswith("https://"):
        raise InputUnusable(
            f"serve.public_files_url = {config.serve.public_files_url!r} is not https://host:port"
        )
    if bool(config.tls.certificate_file) != bool(config.tls.key_file):
        raise InputUnusable("tls.certificate_file and tls.key_file belong together; set both or neither")


def _rules(config: Config) -> list[_Rule]:
    identity, serve, age_s = config.identity, config.serve, config.serve.max_connection_age_s
    # Room for the number of a process in a node's 64 characters.
    is_node = config.node.replace("-", "").isalnum() and config.node[0] != "-" and len(config.node) <= 60
    has_bucket = config.objects.kind == "local" or len(config.objects.bucket) >= 3
    bucket = "a bucket's name, at least 3 characters, when objects.kind is s3"
    max_connections, export = config.database.max_connections, config.auto_export
    limits = msgspec.structs.asdict(config.limits)
    wait_s, style, styles = config.asr.remote_timeout_s, config.export.caption_style, caption_style_names()
    presets = list(post_presets())
    return [
        (0.1 <= wait_s <= 60, "asr.remote_timeout_s", wait_s, "0.1..60"),
        (is_node, "node", config.node, "letters, digits and -, at most 60, a letter or digit first"),
        (1 <= config.roll_up_s <= 3600, "roll_up_s", config.roll_up_s, "1..3600"),
        (2 <= max_connections <= 100, "database.max_connections", max_connections, "2..100"),
        (5 <= config.database.idle_s <= 3600, "database.idle_s", config.database.idle_s, "5..3600"),
        (0.5 <= config.database.connect_s <= 60, "database.connect_s", config.database.connect_s, "0.5..60"),
        (has_bucket, "objects.bucket", config.objects.bucket, bucket),
        (0 <= export.min_score <= 1, "auto_export.min_score", export.min_score, "0..1"),
        (export.per_hour >= 0, "auto_export.per_hour", export.per_hour, "at least 0"),
        (export.preset in presets, "auto_export.preset", export.preset, f"one of {', '.join(presets)}"),
        (style in styles, "export.caption_style", style, f"one of {', '.join(styles)}"),
        (1 <= identity.access_minutes <= 60, "identity.access_minutes", identity.access_minutes, "1..60"),
        (1 <= identity.code_minutes <= 60, "identity.code_minutes", identity.code_minutes, "1..60"),
        (0 <= serve.processes <= 64, "serve.processes", serve.processes, "0..64"),
        (0 <= serve.drain_s <= 600, "serve.drain_s", serve.drain_s, "0..600"),
        (5 <= serve.dead_peer_s <= 600, "serve.dead_peer_s", serve.dead_peer_s, "5..600"),
        (age_s == 0 or age_s >= 10, "serve.max_connection_age_s", age_s, "0, or at least 10"),
        *((value >= 0, f"limits.{name}", value, "at least 0") for name, value in limits.items()),
        *(
            (0 <= hours <= MOST_HOURS, f"retention.{tier}_hours", hours, f"0 (never) .. {MOST_HOURS}")
            for tier, hours in config.retention.hours_by_tier.items()
        ),
    ]


def _worker_rules(workers: Workers) -> list[_Rule]:
    batch, places = workers.transcription_batch, workers.places
    return [
        (
            0 < len(places) == len(set(places)),
            "workers.places",
            places,
            "a list of different places, one at least",
        ),
        (2 <= workers.lease_s <= 600, "workers.lease_s", workers.lease_s, "2..600"),
        (0 <= workers.grace_s <= 600, "workers.grace_s", workers.grace_s, "0..600"),
        (1 <= workers.reconcile_s <= 600, "workers.reconcile_s", workers.reconcile_s, "1..600"),
        (5 <= workers.cleanup_s <= 3600, "workers.cleanup_s", workers.cleanup_s, "5..3600"),
        (
            workers.max_rss_mib == 0 or 128 <= workers.max_rss_mib <= 1_048_576,
            "workers.max_rss_mib",
            workers.max_rss_mib,
            "0, or 128..1048576",
        ),
        (1 <= batch <= 64, "workers.transcription_batch", batch, "1..64"),
        *(
            (1 <= workers.concurrency(stage) <= 64, f"workers.{stage}", workers.concurrency(stage), "1..64")
            for stage in STAGES
        ),
    ]


def _llm_rules(llm: Llm) -> list[_Rule]:
    names = [provider.name for provider in llm.providers]
    per_call, gate = llm.windows_per_call, llm.gate_min_score
    money = {
        name: getattr(llm, name) for name in ("free_usd_per_day", "pro_usd_per_day", "business_usd_per_day")
    }
    return [
        (len(set(names)) == len(names), "llm.providers", names, "a list of different names"),
        (1 <= per_call <= 50, "llm.windows_per_call", per_call, "1..50"),
        (0 <= gate <= 1, "llm.gate_min_score", gate, "0..1"),
        *((value >= 0, f"llm.{name}", value, "at least 0") for name, value in money.items()),
    ]
