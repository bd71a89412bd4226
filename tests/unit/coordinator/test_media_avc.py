"""The header of H.264 in MP4 is read, added to and written as the standard says."""

import pytest

from coordinator.media.output import avc

SPS = bytes([0x67, 100, 0, 31, 0b1010_0000, 1, 2, 3])  # number 0
PPS = bytes([0x68, 0b1110_1011, 9])  # number 0
HEADER = avc.AvcHeader(
    profile=100, compatibility=0, level=31, length_bytes=4, sps=(SPS,), pps=(PPS,), rest=b"\xfd\xf8\xf8\x00"
)


def test_a_header_is_read_as_it_was_written():
    assert avc.read_header(HEADER.as_bytes()) == HEADER


def test_more_parameter_sets_stand_behind_those_that_were_there():
    more = HEADER.with_sets([b"\x67\x64\x00\x1f\x40"], [b"\x68\x40"])

    found = avc.read_header(more.as_bytes())

    assert found is not None
    assert (found.sps, found.pps) == ((SPS, b"\x67\x64\x00\x1f\x40"), (PPS, b"\x68\x40"))
    assert found.rest == HEADER.rest


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\x00\x00\x01\x67\x64\x00\x1f",  # start codes: not a box
        HEADER.as_bytes()[:12],  # cut off in the middle of a parameter set
        bytes([1, 100, 0, 31, 0xFF, 0xE0, 0x00]),  # no parameter set at all
    ],
)
def test_what_is_no_header_is_none(data):
    assert avc.read_header(data) is None


@pytest.mark.parametrize(
    ("bits", "number"),
    [
        (0b1000_0000, 0),
        (0b0100_0000, 1),
        (0b0110_0000, 2),
        (0b0010_0000, 3),
        (0b0001_0100, 9),
    ],
)
def test_the_number_of_a_parameter_set_is_read(bits, number):
    assert avc.set_id(bytes([0x67, 100, 0, 31, bits])) == number
    assert avc.set_id(bytes([0x68, bits])) == number


def test_the_free_number_is_one_that_neither_kind_has():
    both = HEADER.with_sets([b"\x67\x64\x00\x1f\x40"], [b"\x68\x60"])  # numbers 1 and 2

    assert both.free_id() == 3


def test_units_keep_their_bytes_from_start_codes_to_lengths_and_back():
    units = [b"\x65\x00\x00\x03\x01", b"\x41\x9a"]
    packet = b"\x00\x00\x00\x01" + units[0] + b"\x00\x00\x01" + units[1]

    found = avc.units_by_start_code(packet)

    assert found == units
    assert list(avc.units_by_length(avc.with_lengths(found, 4), 4)) == units
