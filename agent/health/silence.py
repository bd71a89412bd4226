"""For how long each source's samples have been exactly zero, from its loudness twice a second.

Loudness is at -120 dB only where every sample of its half second is below a millionth of full scale: the least noise
of a real microphone is 20 dB above that. Written by the `audio` thread, read by any.
"""

from __future__ import annotations

from agent.model.media import SignalSample

_ZERO_DB = -120.0
_SUFFIX = "_loudness_db"


class SilenceMeter:
    """Remembers when each source was last heard."""

    def __init__(self) -> None:
        self._heard_ns: dict[str, int] = {}
        self._newest_ns: dict[str, int] = {}

    def feed(self, sample: SignalSample) -> None:
        """Take a signal; others than loudness are ignored."""
        if not sample.name.endswith(_SUFFIX):
            return
        name = sample.name.removesuffix(_SUFFIX)
        if sample.value > _ZERO_DB or name not in self._heard_ns:
            self._heard_ns[name] = sample.at_ns
        self._newest_ns[name] = sample.at_ns

    def zeros_ns(self, name: str) -> int | None:
        """How long its samples have been zero; None while nothing is known of it."""
        heard_ns = self._heard_ns.get(name)
        return None if heard_ns is None else max(0, self._newest_ns[name] - heard_ns)
