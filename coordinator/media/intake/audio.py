"""Decode sound for speech recognition: mono at 16 kHz, or every channel of a file by itself."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from av.audio.resampler import AudioResampler

from coordinator.errors import AudioUnusable, MediaUnusable
from coordinator.media.intake.decoding import sounds
from coordinator.media.intake.opening import audio_of, open_bytes, open_media
from coordinator.model.speech import SAMPLE_RATE_HZ

MAX_CHANNELS = 16
MAX_SAMPLES = SAMPLE_RATE_HZ * 6 * 3600


def decode_pcm16k(source: bytes | Path, *, number: int | None = None) -> npt.NDArray[np.float32]:
    """Decode a whole chunk (self-contained, such as Ogg/Opus) or file to mono float32 at 16 kHz.

    Sample n is what is heard n/16,000 s after the file's own start: gaps are silence.

    Args:
        number: which of a file's tracks of sound, from 0; None: the first that can be heard.

    Raises:
        AudioUnusable: It holds no sound that can be decoded; a retry will not help.
    """
    try:
        if isinstance(source, bytes):
            pieces = list(_from_bytes(source))
        else:
            found = sounds(Path(source), layout="mono", rate_hz=SAMPLE_RATE_HZ, number=number)
            pieces = [piece[0] for piece in found]
    except MediaUnusable as exc:
        raise AudioUnusable(str(exc)) from exc
    if not pieces:
        raise AudioUnusable("the sound is empty: not one sample could be decoded")
    return np.concatenate(pieces)


def _from_bytes(data: bytes) -> Iterator[npt.NDArray[np.float32]]:
    # One pass over memory, no time line to mend: a chunk is cut by its sender from continuous sound.
    with open_bytes(io.BytesIO(data), len(data)) as container:
        stream = audio_of(container)
        if stream is None:
            raise AudioUnusable(f"a chunk of {len(data)} bytes holds no sound that can be decoded here")
        resampler = AudioResampler(format="fltp", layout="mono", rate=SAMPLE_RATE_HZ)
        num_samples = 0
        for frame in container.decode(stream):
            for block in resampler.resample(frame):
                num_samples += block.samples
                if num_samples > MAX_SAMPLES:
                    raise AudioUnusable(f"a chunk of {len(data)} bytes claims more than 6 hours of sound")
                yield np.asarray(block.to_ndarray(), np.float32)[0]
        for block in resampler.resample(None):
            yield np.asarray(block.to_ndarray(), np.float32)[0]


def decode_channels(path: Path) -> npt.NDArray[np.float32]:
    """Decode a file to float32 at 16 kHz with every channel kept: shape (channels, num_samples).

    Raises:
        AudioUnusable: It holds no sound that can be decoded, or more than `MAX_CHANNELS` channels.
    """
    path = Path(path)
    try:
        layout = _layout_of(path)
        pieces = list(sounds(path, layout=layout, rate_hz=SAMPLE_RATE_HZ))
    except MediaUnusable as exc:
        raise AudioUnusable(str(exc)) from exc
    if not pieces:
        raise AudioUnusable(f"{path.name} is empty: not one sample could be decoded")
    return np.concatenate(pieces, axis=1)


def _layout_of(path: Path) -> str:
    with open_media(path) as container:
        stream = audio_of(container)
        if stream is None:
            raise AudioUnusable(f"{path.name} has no sound that can be decoded here")
        layout = stream.codec_context.layout
        if layout.nb_channels > MAX_CHANNELS:
            raise AudioUnusable(
                f"{path.name} has {layout.nb_channels} channels; at most {MAX_CHANNELS} are read"
            )
        return layout.name
