"""The life of a paired device's tokens: renewed in time, kept before used, never asked for in vain."""

from __future__ import annotations

import pytest

from agent.errors import LinkProblem, SecretsUnavailable
from agent.secrets.memory import MemorySecrets
from agent.uplink.tokens import PairedTokens, Unpaired
from protos.clippy.v1 import identity_pb2


class Server:
    """Renews as the contract says: a token until its successor was used."""

    def __init__(self) -> None:
        self.good = ["r0"]
        self.asked: list[str] = []
        self.is_down = False
        self.is_revoked = False

    def renew(self, refresh_token: str) -> identity_pb2.RefreshReply:
        self.asked.append(refresh_token)
        if self.is_down:
            raise LinkProblem("does not answer")
        if self.is_revoked or refresh_token not in self.good:
            raise Unpaired("this PC was unpaired; run `clippy pair`")
        number = len(self.asked)
        self.good = [refresh_token, f"r{number}"]
        tokens = identity_pb2.Tokens(access_token=f"a{number}", expires_in_s=900, refresh_token=f"r{number}")
        return identity_pb2.RefreshReply(tokens=tokens, tier="pro")


class Case:
    def __init__(self) -> None:
        self.now_s = 1000.0
        self.server = Server()
        self.store = MemorySecrets()
        self.store.set("pairing", "r0")
        self.tokens = self.after_restart()

    def after_restart(self) -> PairedTokens:
        return PairedTokens(self.server.renew, self.store, "pairing", monotonic_s=lambda: self.now_s)


def test_a_token_is_renewed_when_less_than_a_third_of_its_life_is_left():
    case = Case()
    first = case.tokens.token()
    case.now_s += 599
    assert case.tokens.token() == first
    case.now_s += 2

    assert case.tokens.token() != first
    assert case.server.asked == ["r0", "r1"]
    assert case.store.get("pairing") == "r2"


def test_what_pairing_gave_is_used_without_asking():
    case = Case()
    case.tokens.take(identity_pb2.Tokens(access_token="a", expires_in_s=900, refresh_token="r0"))

    assert (case.tokens.token(), case.server.asked) == ("a", [])


def test_killed_between_the_answer_and_the_store_the_old_token_still_renews():
    case = Case()

    class Killed(BaseException):
        """The process ends here."""

    def die(_name: str, _secret: str) -> None:
        raise Killed

    keep, case.store.set = case.store.set, die  # type: ignore[method-assign]
    with pytest.raises(Killed):
        case.tokens.token()
    case.store.set = keep  # type: ignore[method-assign]

    assert case.after_restart().token() == "a2"
    assert case.server.asked == ["r0", "r0"]


def test_a_store_that_cannot_keep_the_successor_gives_no_token_and_locks_nobody_out():
    case = Case()

    def refuse(_name: str, _secret: str) -> None:
        raise SecretsUnavailable("the keyring is locked")

    keep, case.store.set = case.store.set, refuse  # type: ignore[method-assign]
    with pytest.raises(LinkProblem, match="the keyring is locked"):
        case.tokens.token()
    case.store.set = keep  # type: ignore[method-assign]

    assert case.tokens.token() == "a2"


def test_an_unpaired_device_asks_once_and_again_only_with_another_secret():
    case = Case()
    case.server.is_revoked = True
    for _ in range(3):
        with pytest.raises(LinkProblem, match="run `clippy pair`"):
            case.tokens.token()
    assert case.server.asked == ["r0"]

    case.server.is_revoked = False
    case.server.good = ["new"]
    case.store.set("pairing", "new")
    assert case.tokens.token() == "a2"


def test_a_coordinator_that_is_down_is_asked_again():
    case = Case()
    case.server.is_down = True
    with pytest.raises(LinkProblem, match="does not answer"):
        case.tokens.token()
    case.server.is_down = False

    assert case.tokens.token() == "a2"


def test_a_refused_access_token_is_not_given_again_and_an_older_one_changes_nothing():
    case = Case()
    first = case.tokens.token()
    case.tokens.refuse("another")
    assert case.tokens.token() == first
    case.tokens.refuse(first)

    assert case.tokens.token() != first


def test_a_secret_that_is_gone_is_told():
    case = Case()
    case.store.delete("pairing")

    with pytest.raises(LinkProblem, match="is gone; run `clippy pair`"):
        case.tokens.token()
