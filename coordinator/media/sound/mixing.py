"""Tracks added up. The sum may pass full scale: these are floats, and it is levelled afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from coordinator.media.intake.decoding import Samples, in_blocks

BLOCK_SAMPLES = 4096


def mixed(tracks: Sequence[Iterator[Samples]]) -> Iterator[Samples]:
    """Yield the sum of stereo tracks that begin together; one that ends early is silent from then on."""
    if len(tracks) == 1:
        yield from tracks[0]
        return
    running = [in_blocks(track, BLOCK_SAMPLES) for track in tracks]
    while running:
        blocks = [next(track, None) for track in running]
        running = [track for track, block in zip(running, blocks, strict=True) if block is not None]
        heard = [block for block in blocks if block is not None]
        if not heard:
            return
        total = np.zeros((2, max(block.shape[1] for block in heard)), np.float32)
        for block in heard:
            total[:, : block.shape[1]] += block
        yield total
