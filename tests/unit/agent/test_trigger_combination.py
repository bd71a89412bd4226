"""Key combinations as users write them."""

from __future__ import annotations

import pytest

from agent.errors import InputUnusable
from agent.trigger.combination import parse_combination


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ctrl+Shift+F10", "Ctrl+Shift+F10"),
        ("shift + CTRL + f10", "Ctrl+Shift+F10"),  # any order, any case, spaces
        ("F8", "F8"),  # no modifier
        ("cmd+S", "Super+s"),  # other names of the same modifiers; letters are lower-case key names
        ("Alt+Print", "Alt+Print"),
    ],
)
def test_a_combination_is_understood(text: str, shown: str):
    assert str(parse_combination(text)) == shown


@pytest.mark.parametrize("text", ["", "Ctrl+", "Ctrl+Shift", "F8+F9", "+F8"])
def test_a_combination_without_exactly_one_key_is_refused(text: str):
    with pytest.raises(InputUnusable, match="hotkey"):
        parse_combination(text)
