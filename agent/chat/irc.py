"""Lines of IRC with tags, and what those of Twitch mean. Pure, and total: whatever comes in, nothing is raised.

Source: Twitch's documentation of its IRC commands and tags; RFC 1459; IRCv3 message tags.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from agent.model.chat import ChatKind, Heard, Written

# A line is 512 bytes, its tags up to 8,191: what is longer is no IRC.
MAX_LINE_BYTES = 16 * 1024
_UNESCAPED = {":": ";", "s": " ", "\\": "\\", "r": "\r", "n": "\n"}
_ACTION = re.compile("\x01ACTION ([^\x01]*)")
_BOT_BADGES = ("bot-badge", "bot")
_SUPPORT = frozenset(
    {
        *("sub", "resub", "subgift", "submysterygift", "giftpaidupgrade", "anongiftpaidupgrade"),
        *("rewardgift", "primepaidupgrade", "standardpayforward", "communitypayforward", "charitydonation"),
    }
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class IrcLine:
    """One line, taken apart. `nick` is who sent it, `trailing` the last parameter where it began with a colon."""

    tags: Mapping[str, str]
    nick: str
    command: str
    parameters: tuple[str, ...]
    trailing: str


class LineCutter:
    """Cuts what a socket gives into lines; one that is too long is left out whole."""

    def __init__(self) -> None:
        self._rest = b""
        self._is_skipping = False
        self.num_oversized = 0

    def feed(self, data: bytes) -> list[str]:
        """The lines that are whole now. Broken UTF-8 becomes replacement characters."""
        lines = []
        *whole, rest = (self._rest + data).split(b"\n")
        for line in whole:
            if self._is_skipping or len(line) > MAX_LINE_BYTES:
                self.num_oversized += not self._is_skipping
                self._is_skipping = False
            elif text := line.rstrip(b"\r").decode("utf-8", errors="replace"):
                lines.append(text)
        if len(rest) > MAX_LINE_BYTES:
            self.num_oversized += not self._is_skipping
            self._is_skipping, rest = True, b""
        self._rest = rest
        return lines


def parse_line(line: str) -> IrcLine:
    """Take a line apart; what is not there is empty."""
    tags: dict[str, str] = {}
    if line.startswith("@"):
        tagged, _, line = line[1:].partition(" ")
        for tag in tagged.split(";"):
            name, _, value = tag.partition("=")
            tags[name] = _unescape(value)
    line, nick = line.lstrip(" "), ""
    if line.startswith(":"):
        prefix, _, line = line[1:].partition(" ")
        nick = prefix.partition("!")[0]
    head, colon, trailing = line.lstrip(" ").partition(" :")
    words = head.split()
    return IrcLine(
        tags=tags,
        nick=nick,
        command=words[0].upper() if words else "",
        parameters=tuple(words[1:]),
        trailing=trailing if colon else "",
    )


def heard_of(line: IrcLine) -> Heard | None:
    """What a line says that a viewer would see; None: nothing."""
    if line.command == "PRIVMSG":
        return _message(line)
    if line.command == "USERNOTICE":
        return _notice(line)
    return None


def _message(line: IrcLine) -> Written:
    text = line.trailing
    if action := _ACTION.match(text):
        text = action[1]
    bits = number_of(line.tags.get("bits", ""))
    return _written(line, text, kind="support" if bits else "message", count=bits)


def _notice(line: IrcLine) -> Heard | None:
    """A raid, a subscription, a gift. The platform's own sentence names people, so it is left out."""
    kind = line.tags.get("msg-id", "")
    if kind == "raid":
        return _written(line, "", kind="raid", count=number_of(line.tags.get("msg-param-viewerCount", "")))
    if kind == "announcement":
        return _written(line, line.trailing, kind="message", count=0)
    if kind not in _SUPPORT:
        return None
    if kind == "subgift" and line.tags.get("msg-param-community-gift-id"):
        # One of many that were given together, and counted by `submysterygift`.
        return None
    given = number_of(line.tags.get("msg-param-mass-gift-count", "")) if kind == "submysterygift" else 1
    return _written(line, line.trailing, kind="support", count=max(given, 1))


def _written(line: IrcLine, text: str, *, kind: ChatKind, count: int) -> Written:
    badges = {badge.partition("/")[0] for badge in line.tags.get("badges", "").split(",")}
    name = line.tags.get("login") or line.nick
    return Written(
        text=text,
        author_id=line.tags.get("user-id") or name,
        author_name=name,
        kind=kind,
        count=count,
        is_bot=any(badge in badges for badge in _BOT_BADGES),
    )


def number_of(text: str) -> int:
    """A count of up to nine digits; 0 for everything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0


def _unescape(value: str) -> str:
    if "\\" not in value:
        return value
    return re.sub(r"\\(.?)", lambda found: _UNESCAPED.get(found[1], found[1]), value, flags=re.DOTALL)
