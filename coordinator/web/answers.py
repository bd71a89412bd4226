"""How an error is answered: JSON, {"error": {code, message, retryable}}, whatever went wrong."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from coordinator.errors import CoordinatorError, DiskFull, EnvironmentProblem, InputUnusable, NotFound
from coordinator.web.uploads import UploadRefused

log = structlog.get_logger()
# The first that fits.
_STATUSES: list[tuple[type[CoordinatorError], int]] = [
    (NotFound, 404),
    (InputUnusable, 400),
    (DiskFull, 507),
    (EnvironmentProblem, 503),
]


def error(status: int, code: str, message: str, *, is_retryable: bool) -> Response:
    """The answer that says what is wrong."""
    return JSONResponse(
        {"error": {"code": code, "message": message, "retryable": is_retryable}}, status_code=status
    )


async def _problem(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, CoordinatorError)
    status = next((status for kind, status in _STATUSES if isinstance(exc, kind)), 500)
    if status >= 500:
        log.warning("request_failed", code=exc.code, problem=str(exc), status=status)
    return error(status, exc.code, str(exc), is_retryable=exc.retryable)


async def _refused(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, UploadRefused)
    return error(exc.status, exc.code, str(exc), is_retryable=exc.status >= 500)


# For Starlette's `exception_handlers`.
HANDLERS: dict[Any, Callable[[Request, Exception], Awaitable[Response]]] = {
    CoordinatorError: _problem,
    UploadRefused: _refused,
}
