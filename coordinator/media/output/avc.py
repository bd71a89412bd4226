"""H.264 as MP4 keeps it (ISO/IEC 14496-15): parameter sets in a header, a length before each NAL unit. Pure.

A header may hold several parameter sets, told apart by their numbers. That is how pictures of two encoders stand
in one track without a second sample description, which browsers do not follow, and without parameter sets
among the pictures (`avc3`), which Apple's players do not look for.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence

SLICE_IDR, SPS, PPS = 5, 7, 8
_START_CODE = re.compile(rb"\x00\x00\x00?\x01")
MAX_SPS_ID = 31
# Numbers of profiles that x264 writes in 8 bit 4:2:0, and its words for them.
PROFILES = {66: "baseline", 77: "main", 100: "high"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AvcHeader:
    """The content of an `avcC` box. `rest`: what profiles from High on add at the end."""

    profile: int
    compatibility: int
    level: int
    length_bytes: int
    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]
    rest: bytes = b""

    def as_bytes(self) -> bytes:
        """Return the box's content."""
        parts = [
            bytes([1, self.profile, self.compatibility, self.level, 0xFC | (self.length_bytes - 1)]),
            bytes([0xE0 | len(self.sps)]),
            *(len(unit).to_bytes(2, "big") + unit for unit in self.sps),
            bytes([len(self.pps)]),
            *(len(unit).to_bytes(2, "big") + unit for unit in self.pps),
            self.rest,
        ]
        return b"".join(parts)

    def with_sets(self, sps: Sequence[bytes], pps: Sequence[bytes]) -> AvcHeader:
        """Return this header with more parameter sets."""
        return dataclasses.replace(self, sps=(*self.sps, *sps), pps=(*self.pps, *pps))

    def free_id(self) -> int | None:
        """Return a number that no parameter set has, or None."""
        taken = {set_id(unit) for unit in (*self.sps, *self.pps)}
        return next((number for number in range(MAX_SPS_ID + 1) if number not in taken), None)


def read_header(data: bytes) -> AvcHeader | None:
    """Read an `avcC` box's content; None where it is none."""
    if len(data) < 7 or data[0] != 1:
        return None
    groups: list[tuple[bytes, ...]] = []
    position = 5
    for mask in (0x1F, 0xFF):
        if position >= len(data):
            return None
        num, units = data[position] & mask, []
        position += 1
        for _ in range(num):
            length = int.from_bytes(data[position : position + 2], "big")
            units.append(data[position + 2 : position + 2 + length])
            position += 2 + length
            if position > len(data) or not length:
                return None
        groups.append(tuple(units))
    sps, pps = groups
    if not sps or not pps or any(len(unit) < 5 for unit in sps):
        return None
    return AvcHeader(
        profile=data[1],
        compatibility=data[2],
        level=data[3],
        length_bytes=(data[4] & 3) + 1,
        sps=sps,
        pps=pps,
        rest=data[position:],
    )


def set_id(unit: bytes) -> int:
    """Return the number of a parameter set: of an SPS it follows profile, compatibility and level."""
    return _first_number(unit[4:] if unit[0] & 0x1F == SPS else unit[1:])


def _first_number(data: bytes) -> int:
    """Read one unsigned Exp-Golomb number (ITU-T H.264, 9.1)."""
    bits = "".join(f"{byte:08b}" for byte in data[:8])
    num_zeros = len(bits) - len(bits.lstrip("0"))
    return int(bits[num_zeros : 2 * num_zeros + 1] or "1", 2) - 1


def units_by_length(payload: bytes, length_bytes: int) -> Iterator[bytes]:
    """Yield the NAL units of a packet as MP4 has it."""
    position = 0
    while position + length_bytes < len(payload):
        length = int.from_bytes(payload[position : position + length_bytes], "big")
        yield payload[position + length_bytes : position + length_bytes + length]
        position += length_bytes + length


def units_by_start_code(payload: bytes) -> list[bytes]:
    """Return the NAL units of a packet as encoders give it."""
    return [unit for unit in _START_CODE.split(payload) if unit]


def with_lengths(units: Sequence[bytes], length_bytes: int) -> bytes:
    """Return a packet as MP4 has it."""
    return b"".join(len(unit).to_bytes(length_bytes, "big") + unit for unit in units)


def kind_of(unit: bytes) -> int:
    """Return a NAL unit's type."""
    return unit[0] & 0x1F
