"""Addresses, fingerprints and names, as people write them."""

from __future__ import annotations

import pytest

from agent.errors import InputUnusable
from agent.uplink.trust import ShownCertificate, parse_address, parse_fingerprint, shown_fingerprint

DIGITS = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("clips.example.org:7000", "clips.example.org:7000"),
        ("https://clips.example.org", "clips.example.org:7843"),
        ("HTTPS://192.168.1.4:7843/", "192.168.1.4:7843"),
        (" localhost ", "localhost:7843"),
        ("[::1]", "[::1]:7843"),
        ("https://[fe80::1]:9", "[fe80::1]:9"),
    ],
)
def test_an_address_is_understood(text: str, expected: str):
    assert str(parse_address(text)) == expected


@pytest.mark.parametrize(
    "text", ["", "http://a", "a:0", "a:70000", "a b", "a/path", "user@a", "::1", "a:b", "x" * 10 + "://h"]
)
def test_what_is_no_address_is_refused(text: str):
    with pytest.raises(InputUnusable, match=r"address|https"):
        parse_address(text)


@pytest.mark.parametrize(
    "text",
    [
        DIGITS,
        DIGITS.upper(),
        shown_fingerprint(DIGITS),
        f"SHA256:{DIGITS}",
        " ".join([DIGITS[:32], DIGITS[32:]]),
    ],
)
def test_a_fingerprint_is_understood_however_it_is_written(text: str):
    assert parse_fingerprint(text) == DIGITS


@pytest.mark.parametrize("text", ["abc", DIGITS[:-1], DIGITS + "0", "g" * 64])
def test_half_a_fingerprint_is_refused(text: str):
    with pytest.raises(InputUnusable, match="64 hexadecimal digits"):
        parse_fingerprint(text)


@pytest.mark.parametrize(
    ("names", "host", "expected"),
    [
        (("localhost", "127.0.0.1"), "LOCALHOST", ""),
        (("localhost", "127.0.0.1"), "127.0.0.1", ""),
        (
            ("localhost", "127.0.0.1"),
            "pc.home",
            "localhost",
        ),  # reached by another name: expect one that it has
        (("0:0:0:0:0:0:0:1",), "::1", ""),
        (("*.example.org",), "a.example.org", ""),
        ((), "a", ""),
    ],
)
def test_the_name_to_expect(names: tuple[str, ...], host: str, expected: str):
    assert ShownCertificate(pem=b"", names=names).server_name(host) == expected
