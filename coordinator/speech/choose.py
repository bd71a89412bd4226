"""Open the engine that was asked for, or the best one this machine can run."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import structlog

from coordinator.errors import ModelUnavailable
from coordinator.speech.remote import RemoteSpeech, RemoteTranscriber
from coordinator.speech.resolve import DEFAULT_MODEL, ModelPlaces, resolve_model

if TYPE_CHECKING:
    from coordinator.ports import Transcriber

log = structlog.get_logger(__name__)

EngineChoice = Literal["auto", "faster-whisper", "pocketsphinx", "remote"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SpeechSpec:
    """Which engine to open and how; plain values, so it crosses a pipe.

    Attributes:
        engine: "auto" takes faster-whisper where a model resolves, else pocketsphinx with a warning.
        model: one of `resolve.REPOSITORIES`, or owner/name.
        places: where models may lie.
        grammar_phrases: what pocketsphinx should expect; empty for open English.
        remote: where the engine "remote" asks.
        device, compute_type, cpu_threads, max_batch, beam_size: see `WhisperTranscriber`.
    """

    engine: EngineChoice = "auto"
    model: str = DEFAULT_MODEL
    places: ModelPlaces = dataclasses.field(default_factory=ModelPlaces)
    grammar_phrases: tuple[str, ...] = ()
    remote: RemoteSpeech | None = None
    device: str = "auto"
    compute_type: str | None = None
    cpu_threads: int = 0
    max_batch: int | None = None
    beam_size: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        values = dataclasses.asdict(self)
        places = values["places"]
        for name in ("env_folder", "configured_folder", "hf_cache"):
            places[name] = None if places[name] is None else str(places[name])
        places["model_dirs"] = [str(each) for each in places["model_dirs"]]
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> SpeechSpec:
        """Return what `to_json` wrote."""
        places = dict(values["places"])
        for name in ("env_folder", "configured_folder", "hf_cache"):
            places[name] = None if places[name] is None else Path(places[name])
        places["model_dirs"] = tuple(Path(each) for each in places["model_dirs"])
        told = values["remote"]
        return cls(
            **{
                **values,
                "places": ModelPlaces(**places),
                "grammar_phrases": tuple(values["grammar_phrases"]),
                "remote": None if told is None else RemoteSpeech(**told),
            }
        )


def open_transcriber(spec: SpeechSpec) -> tuple[Transcriber, str]:
    """Load an engine; seconds for a large model, so not on an event loop.

    Returns:
        The transcriber, which the caller closes, and why it is this one.

    Raises:
        ModelUnavailable: The named engine has no model here or is not installed; for "auto", none has.
    """
    if spec.engine not in get_args(EngineChoice):
        raise ModelUnavailable(
            f"no speech engine is called {spec.engine!r}; choose one of {', '.join(get_args(EngineChoice))}"
        )
    if spec.engine == "pocketsphinx":
        return _open_pocketsphinx(spec), "pocketsphinx was asked for"
    if spec.engine == "remote":
        if spec.remote is None:
            raise ModelUnavailable("the engine remote has no address; set asr.remote_url")
        return RemoteTranscriber(spec.remote), "a remote service was asked for"
    try:
        return _open_whisper(spec)
    except ModelUnavailable as exc:
        if spec.engine == "faster-whisper":
            raise
        return _open_fallback(spec, exc)


def _open_whisper(spec: SpeechSpec) -> tuple[Transcriber, str]:
    from coordinator.speech.whisper import WhisperTranscriber

    folder = resolve_model(spec.model, spec.places)
    transcriber = WhisperTranscriber(
        folder,
        device=spec.device,
        compute_type=spec.compute_type,
        cpu_threads=spec.cpu_threads,
        max_batch=spec.max_batch,
        beam_size=spec.beam_size,
    )
    return transcriber, f"the Whisper model {folder.name} was found by {folder.place}"


def _open_pocketsphinx(spec: SpeechSpec) -> Transcriber:
    from coordinator.speech.sphinx import PocketsphinxTranscriber

    return PocketsphinxTranscriber(grammar_phrases=spec.grammar_phrases)


def _open_fallback(spec: SpeechSpec, cause: ModelUnavailable) -> tuple[Transcriber, str]:
    if importlib.util.find_spec("pocketsphinx") is None:
        raise ModelUnavailable(
            f"{cause}; the offline engine is not installed either: pip install 'clippy[offline-asr]'"
        ) from cause
    transcriber = _open_pocketsphinx(spec)
    log.warning("speech_engine_fell_back", engine=transcriber.engine, model=spec.model, pii_reason=str(cause))
    return transcriber, f"pocketsphinx, because {cause}"
