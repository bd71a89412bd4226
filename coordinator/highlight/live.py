"""Detection while the session runs: only the last minutes are looked at again.

The references look back 100 s (chat 240 s), so with that much run-up the newest minutes come out as in a run over
the whole; what lies before was settled and is the caller's to keep. One thing is forgotten: which score was told
before the run-up, so a score told again after minutes may count as news.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from coordinator.highlight.detect import detect
from coordinator.model.highlight import SIGNAL_RATE_HZ, Moment, SessionSignals, Track

RUN_UP_S: Final = 300.0
GRID_S: Final = 2.0  # the references are renewed on this grid; off it they would differ


def detect_since(signals: SessionSignals, *, since_s: float, top_k: int) -> list[Moment]:
    """As `detect`, but only moments that end after `since_s`, for the cost of the part since then and 5 min more.

    Args:
        signals: everything known so far, or at least everything of the 5 min before `since_s` and after.
        since_s: up to where the caller has settled moments already.
    """
    shift_s = max(0.0, (since_s - RUN_UP_S) // GRID_S * GRID_S)
    if shift_s == 0.0:
        return [moment for moment in detect(signals, top_k=top_k) if moment.end_s > since_s]
    found = detect(_from(signals, shift_s), top_k=top_k + int(RUN_UP_S / 8.0))
    return [_moved(moment, shift_s) for moment in found if moment.end_s + shift_s > since_s][:top_k]


def _from(signals: SessionSignals, shift_s: float) -> SessionSignals:
    """The session as if it had begun at `shift_s`."""
    steps = int(shift_s * SIGNAL_RATE_HZ)
    return SessionSignals(
        duration_s=signals.duration_s - shift_s,
        tracks=[
            Track(name=track.name, values=track.values[steps:], present=track.present[steps:])
            for track in signals.tracks
        ],
        utterances=[
            dataclasses.replace(one, start_s=one.start_s - shift_s, end_s=one.end_s - shift_s)
            for one in signals.utterances
            if one.start_s >= shift_s
        ],
        chat=[
            dataclasses.replace(line, at_s=line.at_s - shift_s)
            for line in signals.chat
            if line.at_s >= shift_s
        ],
        markers_s=[marker_s - shift_s for marker_s in signals.markers_s if marker_s >= shift_s],
        audiences=[
            dataclasses.replace(one, at_s=one.at_s - shift_s)
            for one in signals.audiences
            if one.at_s >= shift_s
        ],
        events=[
            dataclasses.replace(one, at_s=one.at_s - shift_s) for one in signals.events if one.at_s >= shift_s
        ],
    )


def _moved(moment: Moment, by_s: float) -> Moment:
    return dataclasses.replace(
        moment,
        start_s=round(moment.start_s + by_s, 3),
        end_s=round(moment.end_s + by_s, 3),
        peak_s=round(moment.peak_s + by_s, 3),
    )
