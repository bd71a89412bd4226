"""What the command line does by itself, without a running coordinator: models, transcripts, highlights of files."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coordinator.app.installation import Installation
from coordinator.errors import InputUnusable, ModelUnavailable
from coordinator.settings import Llm

if TYPE_CHECKING:
    from coordinator.model.highlight import Track
    from coordinator.speech.fetch import FetchProgress


def fetch_model(installation: Installation, name: str, *, is_only_if_missing: bool) -> dict[str, Any]:
    """Fetch a speech model, telling progress on stderr.

    Raises:
        ModelUnavailable, DiskFull: And says why, and whether to try again.
    """
    from coordinator.speech import fetch
    from coordinator.speech.hub import DEFAULT_HUB_URL
    from coordinator.speech.resolve import resolve_model

    if is_only_if_missing:
        try:
            found = resolve_model(name, installation.speech_spec().places)
        except ModelUnavailable:
            pass
        else:
            return {"model": name, "folder": str(found.path), "was_fetched": False}
    if not installation.config.asr.allow_download:
        raise ModelUnavailable(
            f"no speech model {name!r} is fetched: asr.allow_download is false; set it to true, or put a model into "
            f"{installation.models}"
        )
    hub_url = os.environ.get("CLIPPY_HUB_URL", DEFAULT_HUB_URL)
    folder = fetch.fetch_model(name, installation.models, hub_url=hub_url, progress=_tell_progress())
    return {"model": name, "folder": str(folder), "was_fetched": True}


def _tell_progress() -> Any:
    told_percent = -10

    def tell(progress: FetchProgress) -> None:
        nonlocal told_percent
        percent = 100 * progress.done_bytes // max(1, progress.total_bytes)
        if percent >= told_percent + 10:
            told_percent = percent
            sys.stderr.write(
                f"speech model {progress.repository}: {percent} % of {progress.total_bytes / 1e6:.0f} MB\n"
            )

    return tell


def check_model(installation: Installation, name: str) -> dict[str, Any]:
    """Compare every file of the model with what was stated when it was fetched.

    Raises:
        ModelUnavailable: There is none, or a file differs.
    """
    from coordinator.speech import fetch
    from coordinator.speech.resolve import resolve_model

    found = resolve_model(name, installation.speech_spec().places)
    fetch.check_model(found.path)
    return {"model": name, "folder": str(found.path), "is_ok": True}


def transcribe(
    installation: Installation, path: Path, *, engine: str, grammar: Path | None
) -> dict[str, Any]:
    """The words of a file, with their times and channels.

    Raises:
        ModelUnavailable: The named engine has no model here.
        InputUnusable: The file, or the grammar, cannot be used.
    """
    from coordinator.media.commands import require_file
    from coordinator.media.intake.audio import decode_channels
    from coordinator.speech.choose import open_transcriber
    from coordinator.speech.files import transcribe_file

    require_file(path)
    spec = dataclasses.replace(installation.speech_spec(), engine=engine)  # type: ignore[arg-type]
    if grammar is not None:
        try:
            lines = grammar.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as exc:
            raise InputUnusable(f"cannot read the grammar {grammar}: {exc}") from exc
        spec = dataclasses.replace(
            spec, grammar_phrases=tuple(line.strip() for line in lines if line.strip())
        )
    transcriber, reason = open_transcriber(spec)
    try:
        words = transcribe_file(path, transcriber, decode_channels)
    finally:
        transcriber.close()
    return {
        "engine": transcriber.engine,
        "model": transcriber.model,
        "language": "en" if transcriber.engine == "pocketsphinx" else None,
        "reason": reason,
        "words": [dataclasses.asdict(word) for word in words],
    }


def find_highlights(
    *,
    transcript: Path | None,
    chat: Path | None,
    media: Path | None,
    duration_s: float | None,
    top_k: int,
    llm: Llm | None = None,
) -> dict[str, Any]:
    """The moments of what files say, best first.

    Args:
        llm: let these models compare them; None: nobody is asked.

    Raises:
        InputUnusable: No input, no duration, or a file that cannot be used.
    """
    from coordinator.highlight import files
    from coordinator.highlight.detect import detect, explain_empty
    from coordinator.model.highlight import SessionSignals

    if not (transcript or chat or media):
        raise InputUnusable("give at least one of --transcript, --chat and --media")
    if not 1 <= top_k <= 1000:
        raise InputUnusable(f"--top {top_k} is out of range; allowed: 1..1000")
    tracks: list[Track] = []
    if media is not None:
        tracks, heard_s = _tracks_of(media)
        duration_s = duration_s or heard_s
    if duration_s is None:
        raise InputUnusable("--duration is needed with --transcript and --chat: seconds the stream lasted")
    signals = SessionSignals(
        duration_s=files.checked_duration_s(duration_s),
        tracks=tracks,
        utterances=files.read_transcript(transcript) if transcript else [],
        chat=files.read_chat(chat) if chat else [],
    )
    if llm is not None:
        from coordinator.app.judged_highlights import NUM_FINALISTS, document, judged

        finalists = detect(signals, top_k=max(top_k, NUM_FINALISTS))
        found = document(judged(finalists, signals.utterances, top_k=top_k, settings=llm))
        return found if finalists else {**found, "reason": explain_empty(signals)}
    moments = detect(signals, top_k=top_k)
    return files.moments_document(moments, reason=None if moments else explain_empty(signals))


def _tracks_of(media: Path) -> tuple[list[Track], float]:
    """The signals of a recording, sound and picture, and how long its sound is."""
    import numpy as np

    from coordinator.highlight.features import lane_tracks
    from coordinator.media.commands import require_file
    from coordinator.media.intake.motion import motion_or_none
    from coordinator.media.sound.lanes import decode_lanes
    from coordinator.model.highlight import Track
    from coordinator.model.speech import SAMPLE_RATE_HZ

    require_file(media)
    lanes = decode_lanes(media)
    tracks = [track for lane, samples in lanes.items() for track in lane_tracks(samples, lane=lane)]
    moved = motion_or_none(media)
    if moved.size:
        tracks.append(Track(name="motion", values=np.nan_to_num(moved), present=np.isfinite(moved)))
    return tracks, max(map(len, lanes.values())) / SAMPLE_RATE_HZ
