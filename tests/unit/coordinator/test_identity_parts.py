"""Tokens, codes, tries, peers and roles: what is pure of identity."""

from __future__ import annotations

import base64
import json
import time
import warnings
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.errors import TooManyTries
from coordinator.identity import codes, peers, tries
from coordinator.identity.renewal import use_of
from coordinator.identity.tokens import (
    AUDIENCE,
    ISSUER,
    AccessTokens,
    derived_key,
    family_of,
    mint,
    new_family,
    new_refresh_token,
)
from coordinator.model.accounts import ROLES, Principal
from coordinator.policy.roles import Action, may

SECRET = b"a secret of the test, 32 bytes.."
KEY = derived_key(SECRET, "access token")
ADA = Principal(user_id="ada", tier="pro", role="operator", device_id="d1")


def signed(*, key: Any = KEY, algorithm: str = "HS256", **changes: Any) -> str:
    """A token like ours, but for what changes; None leaves a claim out."""
    now_s = int(time.time())
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now_s,
        "exp": now_s + 86_400,  # made when tests are collected, read when they run
        "sub": "ada",
        "dev": "d1",
        "tier": "pro",
        "role": "operator",
    }
    claims = {name: value for name, value in (claims | changes).items() if value is not None}
    with warnings.catch_warnings():
        # HS512 wants a longer key than ours.
        warnings.simplefilter("ignore")
        return jwt.encode(claims, key, algorithm=algorithm)


def with_header(header: str) -> str:
    """A token whose header is this text, before anything is signed."""
    return base64.urlsafe_b64encode(header.encode()).decode().rstrip("=") + ".e30.AAAA"


def test_a_token_says_who_speaks_until_when():
    now_s = time.time()
    tokens = AccessTokens(SECRET, lifetime_s=300)

    found = tokens.principal_of(tokens.mint(ADA, now_s=now_s))

    assert found == Principal(
        user_id="ada", tier="pro", role="operator", device_id="d1", expires_at_s=int(now_s + 300)
    )


def test_what_the_bench_mints_is_what_the_server_reads():
    found = AccessTokens(SECRET).principal_of(mint(ADA, SECRET))

    assert found is not None
    assert found.device_id == "d1"


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(signed(key=derived_key(SECRET, "pairing code")), id="another purpose's key"),
        pytest.param(signed(key=SECRET), id="the secret itself"),
        pytest.param(signed(algorithm="HS512"), id="another algorithm"),
        pytest.param(signed(key=None, algorithm="none"), id="no algorithm"),
        pytest.param(signed(aud="somebody-else"), id="another audience"),
        pytest.param(signed(aud=[AUDIENCE, "somebody-else"]), id="several audiences"),
        pytest.param(signed(iss="somebody-else"), id="another issuer"),
        pytest.param(signed(exp=int(time.time()) - 30), id="expired"),
        pytest.param(signed(iat=int(time.time()) + 600), id="from the future"),
        *(
            pytest.param(signed(**{name: None}), id=f"no {name}")
            for name in "exp iat iss aud sub dev tier role".split()
        ),
        pytest.param(signed(tier="emperor"), id="a tier that is none"),
        pytest.param(signed(role=["admin"]), id="a role that is none"),
        pytest.param(signed(sub=""), id="nobody"),
        pytest.param(signed(dev=7), id="a device that is no text"),
        pytest.param(signed(exp="soon"), id="an expiry that is no number"),
        pytest.param(signed() + "x" * 5000, id="far too long"),
        pytest.param(with_header("[" * 3000), id="nested too deep"),
        pytest.param(with_header(json.dumps({"alg": "HS256", "typ": "JWT"})), id="signed by nobody"),
        pytest.param("a.b.c", id="no JWT"),
        pytest.param("ä.ö.ü", id="not ASCII"),
        pytest.param("\ud800.\ud800.\ud800", id="not even text"),
        pytest.param("", id="nothing"),
    ],
)
def test_a_token_that_is_not_ours_says_nothing(token: str):
    assert AccessTokens(SECRET).principal_of(token) is None


def test_clocks_may_differ_a_little():
    assert AccessTokens(SECRET).principal_of(signed(exp=int(time.time()) - 2)) is not None


def test_refresh_tokens_of_a_family_differ_and_are_known_as_its_own():
    family = new_family()

    tokens = {new_refresh_token(family) for _ in range(10)}

    assert len(tokens) == 10
    assert {family_of(token) for token in tokens} == {family}


@pytest.mark.parametrize("text", ["", "crt_", "crt_a.b", f"crt_{'a' * 32}", f"xcrt_{'a' * 32}.{'b' * 43}"])
def test_what_is_no_refresh_token_has_no_family(text: str):
    assert family_of(text) is None


@pytest.mark.parametrize(
    ("generation", "used_generation", "expected"),
    [
        (1, 0, "first"),  # the one that pairing gave
        (5, 4, "first"),  # the successor of the one used last
        (4, 4, "again"),  # the one used last: its answer was lost
        (3, 4, "reused"),  # its successor was used: who shows it has a copy
        (None, 4, "reused"),  # of this family, and nothing of it is kept
    ],
)
def test_showing_a_refresh_token(generation: int | None, used_generation: int, expected: str):
    assert use_of(generation, used_generation) == expected


def test_a_code_has_no_letters_that_look_alike_and_is_hard_to_guess():
    assert len(codes.ALPHABET) == 31
    assert set(codes.ALPHABET).isdisjoint("01OIL")
    assert len({codes.new_code() for _ in range(1000)}) == 1000


@given(st.text(alphabet=codes.ALPHABET, min_size=8, max_size=8), st.sampled_from(["-", " ", "", " - "]))
def test_a_code_is_the_same_however_it_is_typed(letters: str, between: str):
    typed = f" {letters[:4].lower()}{between}{letters[4:]}\n"

    assert codes.hash_of_code(KEY, typed) == codes.hash_of_code(KEY, letters)


@given(st.text())
def test_any_text_can_be_tried_as_a_code(text: str):
    assert codes.normal_code(text) == "" or len(codes.normal_code(text)) == codes.NUM_CHARACTERS


@pytest.mark.parametrize("text", ["", "ABCD-EFG", "ABCD-EFGHJ", "ABCD-EFG0", "ABCD_EFGH"])
def test_what_cannot_be_a_code_is_none(text: str):
    assert codes.normal_code(text) == ""


class Clock:
    """Stands still until it is told."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def num_allowed(limit: tries.Tries, address: str) -> int:
    count = 0
    while True:
        try:
            limit.take(address)
        except TooManyTries:
            return count
        count += 1


def test_one_address_may_try_so_often_and_another_still_may():
    clock = Clock()
    limit = tries.Tries(per_address=5, in_all=100, window_s=60, clock=clock)

    first = num_allowed(limit, "192.0.2.1")
    other = num_allowed(limit, "192.0.2.2")
    clock.now_s = 24
    later = num_allowed(limit, "192.0.2.1")

    assert (first, other, later) == (5, 5, 2)


def test_many_addresses_share_one_bound():
    limit = tries.Tries(per_address=5, in_all=12, window_s=60, clock=Clock())

    assert [num_allowed(limit, f"192.0.2.{number}") for number in range(4)] == [5, 5, 2, 0]


def test_a_try_that_is_given_back_does_not_count():
    limit = tries.Tries(per_address=2, in_all=2, window_s=60, clock=Clock())
    for _ in range(10):
        limit.take("192.0.2.1")
        limit.give_back("192.0.2.1")

    assert num_allowed(limit, "192.0.2.1") == 2


def test_addresses_take_bounded_memory():
    limit = tries.Tries(in_all=10**6, clock=Clock())
    for number in range(tries.MAX_ADDRESSES + 100):
        limit.take(str(number))

    assert len(limit._left) == tries.MAX_ADDRESSES


@pytest.mark.parametrize(
    ("peer", "is_loopback", "network"),
    [
        ("ipv4:127.0.0.1:4711", True, "127.0.0.1"),
        ("ipv4:192.0.2.7:4711", False, "192.0.2.7"),
        ("ipv6:%5B::1%5D:4711", True, "::/64"),
        ("ipv6:[::1]:4711", True, "::/64"),
        ("ipv6:[::ffff:127.0.0.1]:4711", True, "127.0.0.1"),  # a socket for both kinds says it so
        ("ipv6:[::ffff:192.0.2.7]:4711", False, "192.0.2.7"),
        ("ipv6:%5B2001:db8::1:2%5D:4711", False, "2001:db8::/64"),
        ("ipv6:%5Bfe80::1%25eth0%5D:4711", False, "fe80::/64"),
        ("unix:", False, "unknown"),
        ("ipv4:localhost:4711", False, "unknown"),  # gRPC writes addresses; a name proves nothing
        ("", False, "unknown"),
    ],
)
def test_who_is_at_the_other_end(peer: str, is_loopback: bool, network: str):
    assert (peers.is_loopback_peer(peer), peers.network_of(peer)) == (is_loopback, network)


@pytest.mark.parametrize(
    ("action", "roles"),
    [
        (Action.STREAM, {"streamer", "operator", "admin"}),
        (Action.SEE_ALL, {"operator", "admin"}),
        (Action.PAUSE, {"operator", "admin"}),
        (Action.MANAGE_ACCOUNTS, {"admin"}),
    ],
)
def test_each_role_may_what_it_is_for(action: Action, roles: set[str]):
    assert {role for role in (*ROLES, "emperor", "") if may(role, action)} == roles
