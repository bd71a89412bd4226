"""Our errors as a gRPC status, with their code in the metadata."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import grpc

from agent.errors import (
    AgentError,
    DiskFull,
    EnvironmentProblem,
    InputUnusable,
    LinkProblem,
    NothingToClip,
    PairingRefused,
)


def status_code(exc: AgentError) -> grpc.StatusCode:
    """The nearest status that gRPC has. Pure."""
    if isinstance(exc, NothingToClip):
        return grpc.StatusCode.NOT_FOUND
    if isinstance(exc, InputUnusable):
        return grpc.StatusCode.INVALID_ARGUMENT
    if isinstance(exc, DiskFull):
        return grpc.StatusCode.RESOURCE_EXHAUSTED
    if isinstance(exc, LinkProblem):
        # Not UNAVAILABLE: that the engine does not answer is what a caller reads from it.
        return grpc.StatusCode.ABORTED
    if isinstance(exc, EnvironmentProblem | PairingRefused):
        return grpc.StatusCode.FAILED_PRECONDITION
    return grpc.StatusCode.INTERNAL


@contextlib.contextmanager
def translated(context: grpc.ServicerContext) -> Iterator[None]:
    """What is raised within ends the call with its status."""
    try:
        yield
    except AgentError as exc:
        context.set_trailing_metadata(
            (("clippy-code", exc.code), ("clippy-retryable", str(exc.retryable).lower()))
        )
        context.abort(status_code(exc), str(exc))
