"""A key combination as the user writes it: `Ctrl+Shift+F10`. Pure."""

from __future__ import annotations

import dataclasses

from agent.errors import InputUnusable

_MODIFIERS = {
    "ctrl": "ctrl",
    "control": "ctrl",
    "shift": "shift",
    "alt": "alt",
    "option": "alt",
    "super": "super",
    "win": "super",
    "cmd": "super",
    "meta": "super",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """Modifiers among `ctrl shift alt super`, and one key by its X11 name (`F10`, `s`, `Print`)."""

    modifiers: frozenset[str]
    key: str

    def __str__(self) -> str:
        order = [name.capitalize() for name in ("ctrl", "shift", "alt", "super") if name in self.modifiers]
        return "+".join([*order, self.key])


def parse_combination(text: str) -> Combination:
    """Understand `text`.

    Raises:
        InputUnusable: No key, more than one key, or an empty part.
    """
    parts = [part.strip() for part in text.split("+")]
    if not all(parts):
        raise InputUnusable(f"cannot understand the hotkey {text!r}; write it like Ctrl+Shift+F10")
    modifiers = frozenset(_MODIFIERS[part.lower()] for part in parts if part.lower() in _MODIFIERS)
    keys = [part for part in parts if part.lower() not in _MODIFIERS]
    if len(keys) != 1:
        raise InputUnusable(f"the hotkey {text!r} needs exactly one key beside Ctrl, Shift, Alt and Super")
    key = keys[0]
    if len(key) == 1:
        key = key.lower()
    elif key[:1].lower() == "f" and key[1:].isdigit():
        key = key.upper()
    return Combination(modifiers=modifiers, key=key)
