"""How a sound is wanted, and how loud it is."""

from __future__ import annotations

import dataclasses

MIN_GAIN_DB = -60.0
MAX_GAIN_DB = 20.0
SILENCE_DB = -120.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SoundSetting:
    """What the user has set for one sound.

    Attributes:
        gain_db: -60 to +20; 0 leaves it as it is.
        is_muted: silence is recorded, mixed and sent.
        is_noise_suppressed: of the microphone alone.
    """

    gain_db: float = 0.0
    is_muted: bool = False
    is_noise_suppressed: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SoundLevel:
    """Over the last second, in dB below full scale; -120 is silence.

    Attributes:
        loudness_db: root mean square: a full-scale sine is -3.
        peak_db: the highest sample.
    """

    loudness_db: float = SILENCE_DB
    peak_db: float = SILENCE_DB
