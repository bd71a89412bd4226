"""One WebSocket, client side, without input and output: as grpc_call.py, so that one loop drives either.

Owned by whoever owns the socket. Source: RFC 6455.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import os

_CONTINUED, _BINARY, _CLOSE, _PING = 0x0, 0x2, 0x8, 0x9
_FIN, _MASKED = 0x80, 0x80
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
# One key for all frames, so that the payload that all share is masked once. The server unmasks each as any other.
_MASK = os.urandom(4)


class WebSocketCall:
    """One socket. What is to be written stands in `outgoing`; whoever writes it takes it out.

    Attributes:
        ended: why it is over; None while it is not.
    """

    __slots__ = ("_accept", "_buffer", "_held", "_is_open", "_parts", "ended", "outgoing")

    def __init__(self, *, authority: str, path: str, token: str) -> None:
        key = base64.b64encode(os.urandom(16))
        self._accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
        lines = (
            *(f"GET {path} HTTP/1.1", f"Host: {authority}", "Upgrade: websocket", "Connection: Upgrade"),
            *(
                f"Sec-WebSocket-Key: {key.decode()}",
                "Sec-WebSocket-Version: 13",
                f"Authorization: Bearer {token}",
            ),
        )
        self.ended: str | None = None
        self.outgoing = bytearray("\r\n".join((*lines, "", "")).encode("ascii"))
        self._held = bytearray()
        self._is_open = False
        self._buffer = b""
        self._parts = b""

    def send(self, head: bytes, payload: bytes = b"") -> None:
        """Send one message: `head` and then `payload`. It waits here until the server has agreed to the upgrade."""
        out = self.outgoing if self._is_open else self._held
        out += _frame_header(_BINARY, len(head) + len(payload))
        out += _xor(head, _MASK)
        if payload:
            out += _masked(payload, len(head) % 4)

    def receive(self, data: bytes) -> list[bytes]:
        """Take what came over the wire; return the messages that are complete now."""
        buffer = self._buffer + data if self._buffer else data
        if not self._is_open:
            buffer = self._upgrade(buffer)
        messages: list[bytes] = []
        at = 0
        while self._is_open and len(buffer) - at >= 2:
            length, start = buffer[at + 1] & 0x7F, at + 2
            if length >= 126:
                start += 2 if length == 126 else 8
                if start > len(buffer):
                    break
                length = int.from_bytes(buffer[at + 2 : start], "big")
            if start + length > len(buffer):
                break
            self._take(buffer[at], buffer[start : start + length], messages)
            at = start + length
        self._buffer = buffer[at:]
        return messages

    def _upgrade(self, buffer: bytes) -> bytes:
        head, blank, rest = buffer.partition(b"\r\n\r\n")
        if not blank:
            return buffer
        lines = head.split(b"\r\n")
        if b" 101 " not in lines[0] + b" " or not any(self._accept in line for line in lines[1:]):
            self.ended = f"refused: {lines[0].decode(errors='replace')}"
            return rest
        self._is_open = True
        self.outgoing += self._held
        self._held.clear()
        return rest

    def _take(self, first: int, body: bytes, messages: list[bytes]) -> None:
        kind = first & 0x0F
        if kind in (_BINARY, _CONTINUED):
            self._parts += body
            if first & _FIN:
                messages.append(self._parts)
                self._parts = b""
        elif kind == _PING:
            self.outgoing += _frame_header(0xA, len(body)) + _xor(body, _MASK)
        elif kind == _CLOSE and self.ended is None:
            self.ended = (
                f"closed: {int.from_bytes(body[:2], 'big')} {body[2:].decode(errors='replace')}".rstrip()
            )


def _frame_header(kind: int, length: int) -> bytes:
    if length < 126:
        size = bytes((_MASKED | length,))
    elif length < 1 << 16:
        size = bytes((_MASKED | 126,)) + length.to_bytes(2, "big")
    else:
        size = bytes((_MASKED | 127,)) + length.to_bytes(8, "big")
    return bytes((_FIN | kind,)) + size + _MASK


@functools.lru_cache(maxsize=16)
def _masked(payload: bytes, phase: int) -> bytes:
    return _xor(payload, _MASK[phase:] + _MASK[:phase])


def _xor(data: bytes, key: bytes) -> bytes:
    length = len(data)
    mask = (key * (length // 4 + 1))[:length]
    return (int.from_bytes(data, "big") ^ int.from_bytes(mask, "big")).to_bytes(length, "big")
