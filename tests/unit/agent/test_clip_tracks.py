"""Which sounds a clip carries."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from agent.clip.tracks import choose_tracks, parse_tracks, sound_names
from agent.errors import InputUnusable
from agent.model.media import EncodedPacket
from tests.fakes.packets import MIX, VIDEO, picture, sound


class Span:
    """A span of one picture and a block of each of three sounds."""

    session_id = "s"
    tracks = (VIDEO, *(dataclasses.replace(MIX, name=name) for name in ("mix", "mic", "desktop")))  # type: ignore[arg-type]
    start_ns, end_ns = 0, 100_000_000
    lack = None
    is_closed = False

    def packets(self) -> Iterator[EncodedPacket]:
        yield picture(0)
        yield from (sound(0, track=number) for number in (1, 2, 3))

    def close(self) -> None:
        self.is_closed = True

    def __enter__(self) -> Span:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


@pytest.mark.parametrize(
    ("text", "kept", "missing"),
    [
        ("all", ("mix", "mic", "desktop"), []),
        ("none", (), []),
        ("mix", ("mix",), []),
        ("mic,mix", ("mix", "mic"), []),  # in the recording's order
        ("mic, desktop", ("mic", "desktop"), []),
        ("mix,game", ("mix",), ["game"]),
        ("game", ("mix",), ["game"]),  # of nothing that is there the mix comes instead
    ],
)
def test_the_picture_and_the_wanted_sounds_are_kept(text: str, kept: tuple[str, ...], missing: list[str]):
    span = Span()

    chosen, lacking = choose_tracks(span, parse_tracks(text))

    assert (sound_names(chosen), lacking) == (kept, missing)
    assert [packet.track for packet in chosen.packets()] == list(range(1 + len(kept)))
    with chosen:
        pass
    assert span.is_closed


def test_no_wish_keeps_all():
    span = Span()

    assert choose_tracks(span, ())[0] is span


@pytest.mark.parametrize("text", ["", "mix,,mic", "all,mix", "none,mic"])
def test_a_list_that_contradicts_itself_is_refused(text: str):
    with pytest.raises(InputUnusable, match=r"clips\.tracks"):
        parse_tracks(text)
