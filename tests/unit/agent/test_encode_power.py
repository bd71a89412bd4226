"""How full the battery is, by Linux's folder of power supplies."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.encode.power import charge_of


@pytest.mark.parametrize(
    ("supplies", "expected"),
    [
        ([], None),
        ([("Mains", "", "")], None),
        ([("Battery", "", "64")], 64),
        ([("Battery", "", "64"), ("Battery", "", "7")], 7),
        ([("Battery", "Device", "3"), ("Battery", "System", "50")], 50),  # a mouse's does not count
        ([("Battery", "", "")], None),
        ([("Battery", "", "full")], None),
    ],
)
def test_the_emptiest_battery_of_the_machine_counts(
    tmp_path: Path, supplies: list[tuple[str, str, str]], expected: int | None
):
    for number, (kind, scope, capacity) in enumerate(supplies):
        folder = tmp_path / f"supply{number}"
        folder.mkdir()
        for name, text in (("type", kind), ("scope", scope), ("capacity", capacity)):
            if text:
                (folder / name).write_text(f"{text}\n")

    assert charge_of(tmp_path) == expected
