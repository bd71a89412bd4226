"""What is known of a session, on one line of half-second steps, as the detector takes it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from coordinator.model.highlight import SIGNAL_RATE_HZ, SessionSignals, Track, Utterance
from coordinator.model.sessions import FeatureRow, MarkerRow, SpokenWord, TranscriptRow
from protos.timebase import SECOND_NS

_PAUSE_NS = 600_000_000


def build_look(
    features: Sequence[FeatureRow],
    transcripts: Sequence[TranscriptRow],
    markers: Sequence[MarkerRow],
    *,
    since_ns: int,
    until_ns: int,
) -> SessionSignals:
    """Lay everything on one line of half-second steps that starts at `since_ns`."""
    step_ns = SECOND_NS // SIGNAL_RATE_HZ
    num_steps = max(0, -(-(until_ns - since_ns) // step_ns))
    values: dict[str, np.ndarray] = {}
    for row in features:
        first = round((row.start_ns - since_ns) / step_ns)
        for name, measured in row.tracks.items():
            line = values.setdefault(name, np.full(num_steps, np.nan))
            for index, value in enumerate(measured, start=first):
                if 0 <= index < num_steps and value is not None:
                    line[index] = value
    words = [word for row in transcripts for word in row.words if since_ns <= word.start_ns < until_ns]
    return SessionSignals(
        duration_s=(until_ns - since_ns) / SECOND_NS,
        tracks=[
            Track(name=name, values=np.nan_to_num(line), present=~np.isnan(line))
            for name, line in sorted(values.items())
        ],
        utterances=[
            Utterance(
                start_s=(said[0].start_ns - since_ns) / SECOND_NS,
                end_s=(said[-1].end_ns - since_ns) / SECOND_NS,
                text=" ".join(word.text for word in said),
            )
            for said in group_words(words)
        ],
        markers_s=[(marker.at_ns - since_ns) / SECOND_NS for marker in markers if marker.at_ns >= since_ns],
    )


def group_words(words: Sequence[SpokenWord]) -> list[list[SpokenWord]]:
    """Words with no pause of 0.6 s between them, and at most 20, are one utterance."""
    groups: list[list[SpokenWord]] = []
    for word in words:
        if groups and len(groups[-1]) < 20 and word.start_ns - groups[-1][-1].end_ns < _PAUSE_NS:
            groups[-1].append(word)
        else:
            groups.append([word])
    return groups
