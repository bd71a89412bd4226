"""Ports of the way to a coordinator: who keeps secrets, who gives tokens, and who pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, Protocol

from protos.clippy.v1 import control_pb2

StoreKind = Literal["keyring", "file", "memory"]


class SecretStore(Protocol):
    """A few short texts that only this user may read, by name. Any thread; every call returns within 10 s.

    Attributes:
        kind: where they are.

    Raises (every method):
        SecretsUnavailable: The store does not answer or refuses; says what to do.
    """

    kind: StoreKind

    def get(self, name: str) -> str | None:
        """The secret, or None where there is none of that name."""
        ...

    def set(self, name: str, secret: str) -> None:
        """Keep a secret in place of an older one; what is durable is so when this returns."""
        ...

    def delete(self, name: str) -> None:
        """Forget it. Twice is once."""
        ...


class TokenSource(Protocol):
    """Gives the bearer token of a stream. Any thread.

    Attributes:
        advice: what to do about a token that is refused, for people.
    """

    advice: str

    def token(self) -> str:
        """A token that is good now; may ask the coordinator, at most 10 s.

        Raises:
            LinkProblem: There is none; says why and what to do.
        """
        ...

    def refuse(self, token: str) -> None:
        """The coordinator did not take this one: it is not given again."""
        ...


class PairingDesk(Protocol):
    """What the control API and the command line ask about pairing. Any thread; one pairing at a time."""

    def pair(
        self, request: control_pb2.PairCoordinatorRequest, *, is_wanted: Callable[[], bool]
    ) -> Iterator[control_pb2.PairingProgress]:
        """Pair, and say how far it is; ends after `confirm` or `paired`.

        Args:
            is_wanted: False: the person gave up; looked at twice a second.

        Raises:
            InputUnusable, EnvironmentProblem, LinkProblem, PairingRefused: And says what to do.
        """
        ...

    def unpair(self) -> control_pb2.UnpairCoordinatorResponse:
        """Give the pairing up, here and there; what waits to be sent is dropped.

        Raises:
            InputUnusable: This PC is not paired.
        """
        ...
