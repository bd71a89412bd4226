"""Headers that every answer carries, errors and files too."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class SafeHeaders:
    """ASGI middleware: scripts and styles from here alone, no frames, and no use by other sites.

    Args:
        media_sources: origins that films may come from beside our own.
    """

    def __init__(self, app: ASGIApp, media_sources: Sequence[str] = ()) -> None:
        self._app = app
        media = " ".join(["'self'", *media_sources])
        self._headers = {
            "Content-Security-Policy": (
                f"default-src 'self'; media-src {media}; object-src 'none'; frame-ancestors 'none'; "
                "base-uri 'none'; form-action 'self'"
            ),
            "X-Content-Type-Options": "nosniff",
            # Not `no-referrer`: then browsers hide also from us where a form comes from.
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI says."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)
