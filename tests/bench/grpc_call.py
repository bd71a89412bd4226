"""One gRPC call on one HTTP/2 connection, client side, without input and output: bytes in, bytes out.

Knows what a bidirectional stream needs and no more: SETTINGS, HEADERS, DATA, both flow controls, PING, GOAWAY,
RST_STREAM, trailers. Request headers are literals that go into no table; answers are decoded only when the call ends.
Owned by whoever owns the socket.

Source: RFC 9113 (HTTP/2), RFC 7541 (HPACK), gRPC over HTTP/2.
"""

from __future__ import annotations

import struct
from urllib.parse import unquote

import hpack

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE, _CONTINUATION = (
    0,
    1,
    3,
    4,
    6,
    7,
    8,
    9,
)
_END_STREAM, _ACK, _END_HEADERS, _PADDED, _PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
_INITIAL_WINDOW_SIZE, _MAX_FRAME_SIZE = 4, 5
_STREAM = 1
_DEFAULT_WINDOW = 65_535
# What was read is granted anew in portions of half a window, as gRPC's own clients do roughly.
_GRANT_BYTES = 32_768
_STATUS = (
    "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED "
    "RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS "
    "UNAUTHENTICATED"
).split()
_Settings = struct.Struct(">HI")


class GrpcCall:
    """One call. What is to be written stands in `outgoing`; whoever writes it takes it out.

    Attributes:
        ended: why the call is over, beginning with the gRPC status's name; None while it is not.
    """

    __slots__ = (
        *("_blocks", "_buffer", "_connection_window", "_gone", "_held", "_initial_window", "_is_headers_end"),
        *("_max_frame", "_message", "_ungranted", "_window", "ended", "outgoing"),
    )

    def __init__(self, *, authority: str, path: str, token: str) -> None:
        self.ended: str | None = None
        self.outgoing = bytearray(_opening(authority, path, token))
        self._buffer = b""
        self._message = b""
        self._held = bytearray()
        self._blocks: list[bytes] = []
        self._is_headers_end = False
        self._gone = ""
        self._max_frame = 16_384
        self._initial_window = self._window = self._connection_window = _DEFAULT_WINDOW
        self._ungranted = 0

    def send(self, head: bytes, payload: bytes = b"") -> None:
        """Send one message: `head` and then `payload`. What the peer's windows do not admit yet waits here."""
        length = len(head) + len(payload)
        first = b"\0" + length.to_bytes(4, "big") + head
        total = length + 5
        if self._held or total > self._window or total > self._connection_window:
            self._held += first
            self._held += payload
            self._send_held()
            return
        self._window -= total
        self._connection_window -= total
        room = self._max_frame - len(first)
        if room < 0:
            self._frames(first + payload)
            return
        out = self.outgoing
        out += _frame_header(min(self._max_frame, total), _DATA, 0, _STREAM)
        out += first
        view = memoryview(payload)
        out += view[:room]
        for at in range(room, len(payload), self._max_frame):
            part = view[at : at + self._max_frame]
            out += _frame_header(len(part), _DATA, 0, _STREAM)
            out += part

    def receive(self, data: bytes) -> list[bytes]:
        """Take what came over the wire; return the messages that are complete now."""
        buffer = self._buffer + data if self._buffer else data
        at, size = 0, len(buffer)
        messages: list[bytes] = []
        while size - at >= 9:
            start = at + 9
            end = start + int.from_bytes(buffer[at : at + 3], "big")
            if end > size:
                break
            kind, flags, body = buffer[at + 3], buffer[at + 4], buffer[start:end]
            if kind == _DATA:
                self._take_data(flags, body, messages)
            else:
                self._take(kind, flags, int.from_bytes(buffer[at + 5 : start], "big"), body)
            at = end
        self._buffer = buffer[at:]
        return messages

    def _take_data(self, flags: int, body: bytes, messages: list[bytes]) -> None:
        self._ungranted += len(body)
        if self._ungranted >= _GRANT_BYTES:
            grant = self._ungranted.to_bytes(4, "big")
            for stream in (0, _STREAM):
                self.outgoing += _frame_header(4, _WINDOW_UPDATE, 0, stream) + grant
            self._ungranted = 0
        if flags & _PADDED:
            body = body[1 : len(body) - body[0]]
        buffer = self._message + body if self._message else body
        at = 0
        while len(buffer) - at >= 5:
            end = at + 5 + int.from_bytes(buffer[at + 1 : at + 5], "big")
            if buffer[at]:
                self._end("INTERNAL: a message is compressed, which was not asked for")
                break
            if end > len(buffer):
                break
            messages.append(buffer[at + 5 : end])
            at = end
        self._message = buffer[at:]
        if flags & _END_STREAM:
            self._end("UNKNOWN: the stream ended without trailers")

    def _take(self, kind: int, flags: int, stream: int, body: bytes) -> None:
        if kind == _SETTINGS and not flags & _ACK:
            self._take_settings(body)
        elif kind == _WINDOW_UPDATE:
            grant = int.from_bytes(body, "big") & 0x7FFF_FFFF
            if stream == 0:
                self._connection_window += grant
            else:
                self._window += grant
            self._send_held()
        elif kind == _PING and not flags & _ACK:
            self.outgoing += _frame_header(8, _PING, _ACK, 0) + body
        elif kind in (_HEADERS, _CONTINUATION):
            self._take_headers(kind, flags, body)
        elif kind == _RST_STREAM:
            self._end(f"{'CANCELLED' if body[-1] == 8 else 'UNAVAILABLE'}: reset, HTTP/2 code {body[-1]}")
        elif kind == _GOAWAY:
            self._gone = f"GOAWAY {body[7]} {body[8:108].decode(errors='replace')}".strip()
            if int.from_bytes(body[:4], "big") < _STREAM:
                self._end(f"UNAVAILABLE: {self._gone}")

    def _take_settings(self, body: bytes) -> None:
        for name, value in _Settings.iter_unpack(body):
            if name == _INITIAL_WINDOW_SIZE:
                # Also of the stream that is open; it may become negative until it is granted more.
                self._window += value - self._initial_window
                self._initial_window = value
            elif name == _MAX_FRAME_SIZE:
                self._max_frame = value
        self.outgoing += _frame_header(0, _SETTINGS, _ACK, 0)
        self._send_held()

    def _take_headers(self, kind: int, flags: int, body: bytes) -> None:
        if kind == _HEADERS:
            if flags & _PADDED:
                body = body[1 : len(body) - body[0]]
            if flags & _PRIORITY:
                body = body[5:]
            self._blocks.append(body)
            self._is_headers_end = bool(flags & _END_STREAM)
        else:
            self._blocks[-1] += body
        if flags & _END_HEADERS and self._is_headers_end:
            self._end(self._trailers())

    def _trailers(self) -> str:
        """What the peer says of the call's end. Its table of headers is only rebuilt here, from the first block on."""
        decoder = hpack.Decoder()
        fields: dict[str, str] = {}
        try:
            for block in self._blocks:
                fields |= {str(name): str(value) for name, value in decoder.decode(block)}
        except hpack.HPACKError as exc:
            return f"INTERNAL: trailers that cannot be read: {exc}"
        code = fields.get("grpc-status", "")
        is_known = code.isdecimal() and int(code) < len(_STATUS)
        name = _STATUS[int(code)] if is_known else f"UNKNOWN (HTTP {fields.get(':status', '?')})"
        return f"{name}: {unquote(fields.get('grpc-message', ''))}".rstrip(": ")

    def _end(self, reason: str) -> None:
        if self.ended is None:
            self.ended = reason

    def _send_held(self) -> None:
        room = min(self._window, self._connection_window, len(self._held))
        if room <= 0:
            return
        self._window -= room
        self._connection_window -= room
        self._frames(bytes(self._held[:room]))
        del self._held[:room]

    def _frames(self, data: bytes) -> None:
        for at in range(0, len(data), self._max_frame):
            part = data[at : at + self._max_frame]
            self.outgoing += _frame_header(len(part), _DATA, 0, _STREAM) + part


def _frame_header(length: int, kind: int, flags: int, stream: int) -> bytes:
    return (length << 48 | kind << 40 | flags << 32 | stream).to_bytes(9, "big")


def _opening(authority: str, path: str, token: str) -> bytes:
    fields = (
        *(
            (":path", path),
            (":authority", authority),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
        ),
        *(("user-agent", "clippy-bench"), ("authorization", f"Bearer {token}")),
    )
    # :method POST and :scheme https by their places in HPACK's static table.
    block = b"\x83\x87" + b"".join(b"\0" + _literal(name) + _literal(value) for name, value in fields)
    settings = _frame_header(0, _SETTINGS, 0, 0)
    return _PREFACE + settings + _frame_header(len(block), _HEADERS, _END_HEADERS, _STREAM) + block


def _literal(text: str) -> bytes:
    """A string without Huffman coding; its length in a prefix of 7 bits."""
    data = text.encode("ascii")
    if len(data) < 0x7F:
        return bytes((len(data),)) + data
    rest, out = len(data) - 0x7F, bytearray(b"\x7f")
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out) + data
