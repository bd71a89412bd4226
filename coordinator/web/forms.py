"""What a page's form sends: read within bounds, and taken from our own pages alone."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.requests import Request

from coordinator.errors import InputUnusable

_MAX_FORM_BYTES = 16 * 1024
_MAX_FIELDS = 100


def check_origin(request: Request) -> None:
    """Raise InputUnusable for what no page of ours sent.

    Browsers say where a POST comes from; other programs need not.
    """
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "same-origin")
    if (origin is not None and urlsplit(origin).netloc != request.headers.get("host")) or site not in (
        "same-origin",
        "none",
    ):
        raise InputUnusable("this is changed from its own page alone")


async def read_form(request: Request) -> dict[str, list[str]]:
    """Return the values of a form's fields, in their order, as application/x-www-form-urlencoded has them.

    Raises:
        InputUnusable: It is longer than a form of ours can be, or no form.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MAX_FORM_BYTES:
            raise InputUnusable(f"the form may hold {_MAX_FORM_BYTES} bytes at most")
    try:
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError as exc:
        raise InputUnusable(f"the form cannot be read: {exc}") from exc


def whose(request: Request) -> str:
    """Return the part of an address's query that says whose things are meant."""
    return urlencode(
        [(name, value) for name, value in request.query_params.items() if name in ("user", "session")]
    )
