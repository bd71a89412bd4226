"""Which language each session speaks, as far as it was heard: so that it is not guessed anew for each chunk.

Kept by each worker for itself, in bounded memory: one that starts anew learns it from the next chunks. Pure.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict

from coordinator.model.speech import Transcript

_MAX_SESSIONS = 20_000
# Whisper's probability of a language; two chunks that agree, so that one odd shout decides nothing.
_SURE = 0.8
_AGREEING = 2
# People change their language: after so many chunks it is detected once more.
_FORGOTTEN_AFTER = 60


@dataclasses.dataclass(slots=True)
class _Known:
    language: str
    num_agreeing: int = 0
    num_given: int = 0


class Languages:
    """The languages of the sessions heard last."""

    def __init__(self, *, max_sessions: int = _MAX_SESSIONS) -> None:
        self._max_sessions = max_sessions
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def of(self, session_id: str) -> str | None:
        """The language to give with the session's next chunk, or None to detect it."""
        known = self._known.get(session_id)
        if known is None or known.num_agreeing < _AGREEING:
            return None
        known.num_given += 1
        if known.num_given > _FORGOTTEN_AFTER:
            del self._known[session_id]
            return None
        return known.language

    def learn(self, session_id: str, transcript: Transcript) -> None:
        """Take note of what was detected; what was given, or heard without words, teaches nothing."""
        sureness = transcript.language_probability
        if sureness is None or sureness < _SURE or not transcript.words:
            return
        known = self._known.get(session_id)
        if known is None or known.language != transcript.language:
            known = self._known[session_id] = _Known(transcript.language)
        known.num_agreeing += 1
        self._known.move_to_end(session_id)
        if len(self._known) > self._max_sessions:
            self._known.popitem(last=False)
