"""Look into H.264 packets without decoding them: is each whole, and do they keep to one description?

Both ways of framing are read: lengths (MP4, Matroska) and start codes (transport streams).
Source: ISO/IEC 14496-15 (`avcC`), ITU-T H.264 annex B.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

SPS, PPS = 7, 8
_START_CODE = re.compile(b"\x00\x00\x01")


class Description:
    """The parameter sets a track is decoded by, and whether its packets keep to them."""

    def __init__(self, extradata: bytes | None) -> None:
        """`extradata`: an `avcC` record, or units with start codes."""
        self._length_bytes = 0
        self._known: dict[bytes, bytes] = {}
        self.is_known = False
        data = extradata or b""
        if data[:1] == b"\x01" and len(data) >= 7:
            self._length_bytes = (data[4] & 3) + 1
            units: Iterator[bytes] = _sets_of(data)
        else:
            units = _annex_b(data)
        for unit in units:
            self._learn(unit)

    def keeps_to(self, payload: bytes) -> bool:
        """Tell whether a packet is whole and brings no parameter set that differs from those before it."""
        units = _framed(payload, self._length_bytes) if self._length_bytes else _annex_b(payload)
        num_pictures = 0
        for unit in units:
            if not unit or unit[0] & 0x80:  # The forbidden bit: damaged, or encrypted.
                return False
            kind = unit[0] & 0x1F
            num_pictures += 1 <= kind <= 5
            if kind in (SPS, PPS) and not self._learn(unit):
                return False
        return num_pictures > 0

    def _learn(self, unit: bytes) -> bool:
        """Remember a parameter set; False where it changes one that is known."""
        if not unit or unit[0] & 0x1F not in (SPS, PPS):
            return True
        unit = unit.rstrip(b"\x00")
        # Sets of one kind are told apart by their number, which the first bytes of a set begin with.
        key = unit[:1] + (unit[4:5] if unit[0] & 0x1F == SPS else unit[1:2])
        is_sps = unit[0] & 0x1F == SPS
        self.is_known |= is_sps
        before = self._known.setdefault(key, unit)
        return before == unit or not is_sps


def _sets_of(record: bytes) -> Iterator[bytes]:
    """Yield the parameter sets of an `avcC` record, as far as they are whole."""
    offset, num_sets = 6, record[5] & 0x1F
    for is_last in (False, True):
        for _ in range(num_sets):
            length = int.from_bytes(record[offset : offset + 2], "big")
            yield record[offset + 2 : offset + 2 + length]
            offset += 2 + length
        if is_last or offset >= len(record):
            return
        num_sets = record[offset]
        offset += 1


def _framed(payload: bytes, length_bytes: int) -> Iterator[bytes]:
    """Yield units that follow their length; an empty one where a length reaches beyond the packet."""
    offset = 0
    while offset < len(payload):
        begin = offset + length_bytes
        offset = begin + int.from_bytes(payload[offset:begin], "big")
        if offset > len(payload):
            yield b""
            return
        # Only what tells units apart is copied, and parameter sets whole.
        is_set = payload[begin : begin + 1] and payload[begin] & 0x1F in (SPS, PPS)
        yield payload[begin:offset] if is_set else payload[begin : begin + 1]


def _annex_b(payload: bytes) -> Iterator[bytes]:
    """Yield units that follow a start code."""
    marks = [mark.end() for mark in _START_CODE.finditer(payload)]
    ends = [*(mark - 3 for mark in marks[1:]), len(payload)]
    for begin, end in zip(marks, ends, strict=False):  # Without a mark there is an end alone.
        is_set = payload[begin : begin + 1] and payload[begin] & 0x1F in (SPS, PPS)
        yield payload[begin:end] if is_set else payload[begin : begin + 1]
