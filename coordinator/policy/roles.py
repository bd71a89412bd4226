"""Which role may do what. Pure.

A streamer has his own things; an operator also sees everybody's and pauses queues; an admin also has the accounts.
"""

from __future__ import annotations

import enum


class Action(enum.Enum):
    """What somebody may want to do."""

    STREAM = "stream"  # send, and have what is one's own
    SEE_ALL = "see_all"
    PAUSE = "pause"
    MANAGE_ACCOUNTS = "manage_accounts"  # others' accounts and devices, and approving agents for them


_STREAMER = frozenset({Action.STREAM})
_OPERATOR = _STREAMER | {Action.SEE_ALL, Action.PAUSE}
_BY_ROLE: dict[str, frozenset[Action]] = {
    "streamer": _STREAMER,
    "operator": _OPERATOR,
    "admin": _OPERATOR | {Action.MANAGE_ACCOUNTS},
}


def may(role: str, action: Action) -> bool:
    """May somebody of this role do it? A role that is not known may nothing."""
    return action in _BY_ROLE.get(role, frozenset())
