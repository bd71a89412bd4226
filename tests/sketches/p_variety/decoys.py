"""What shows some of the signs of a moment and is none."""

from __future__ import annotations

from collections.abc import Callable

from tests.sketches.p_variety.script import Scene, Writer


def advert(w: Writer) -> Scene:
    """Adverts: loud, bright, quickly cut, and another voice; the streamer says a word and is away."""
    long_s = w.span(14.0, 26.0)
    w.say("advert", "calm", tells=False)
    w.put("scene", "advert", long_s)
    w.put("sfx", "jingle", long_s)
    w.put("face", "away", long_s)
    w.chat("ads", 0.3)
    return w.done("advert")


def alert(w: Writer) -> Scene:
    """A sub: a loud chime, a box in the picture, calm or bright thanks."""
    w.put("sfx", "alert", 1.5, w.span(0.7, 1.4))
    w.put("pic", "alert", w.span(4.0, 6.0))
    w.wait(1.0, 2.5)
    w.say("thanks", "bright" if w.chance(0.5) else "calm")
    w.chat("spam", 0.2)
    return w.done("alert")


def music(w: Writer) -> Scene:
    """The score of the game swells, a new place is shown; talk goes on as ever or rests."""
    long_s = w.span(8.0, 15.0)
    w.put("music", "fight", long_s, 1.3)
    w.put("sfx", "win", 2.5, 0.7)
    w.put("pic", "banner", 3.0)
    w.put("pic", "flash", 0.6, 0.7)
    w.wait(2.0, 4.0)
    w.say("usual", "play")
    return w.done("music")


def raid(w: Writer) -> Scene:
    """A raid: alert and a wall of chat, a bright welcome to strangers as every evening."""
    w.put("sfx", "alert", 1.5, 1.3)
    w.put("pic", "alert", 7.0)
    w.chat("raid", 1.2)
    w.wait(1.0, 2.0)
    for _ in range(w.some(2, 3)):
        w.say("raid", "bright")
    return w.done("raid")


def dog(w: Writer) -> Scene:
    """The dog barks, or it rings, and the streamer excuses it."""
    name = "bark" if w.chance(0.7) else "bell"
    for _ in range(w.some(2, 4)):
        w.put("room", name, 1.2, w.span(0.6, 1.3))
        w.wait(1.1, 1.8)
    w.say("dog", "calm")
    w.chat("dog", 0.3)
    return w.done("dog")


def house(w: Writer) -> Scene:
    """Shouting to somebody in another room about something plain."""
    w.put("face", "away", 5.0, 0.5)
    for _ in range(w.some(2, 3)):
        w.say("house", "call")
        w.wait(0.5, 1.5)
    return w.done("house")


def loud_play(w: Writer) -> Scene:
    """A loud stretch of the play that is usual in this game: din, shaking, and talk as at any other time."""
    long_s = w.span(8.0, 18.0)
    w.put("heat", "fight", long_s, 1.1)
    w.put("sfx", "boom", 2.0, after_s=long_s * w.span(0.2, 0.5))
    w.put("pic", "shake", long_s * 0.6, 0.5)
    w.put("pic", "burst", 1.0, after_s=long_s * 0.4)
    end_s = w.now_s + long_s - 2.0
    w.wait(0.5, 3.0)
    while w.now_s < end_s:
        w.say("usual" if w.chance(0.75) else "small", "play")
        w.wait(1.0, 3.0)
    return w.done("loud")


def smile(w: Writer) -> Scene:
    """A polite laugh at a message, and on it goes."""
    w.laugh(w.span(0.8, 1.6), 0.5)
    w.say("smile", "calm")
    if w.chance(0.5):
        w.laugh(w.span(0.5, 1.0), 0.35)
    w.chat("funny", 0.1)
    return w.done("polite")


def past(w: Writer) -> Scene:
    """Big words about an old success, in the voice of any story."""
    for _ in range(w.some(2, 3)):
        w.say("past", "calm" if w.chance(0.6) else "play")
        w.wait(0.2, 0.8)
    w.chat("hype", 0.06)
    return w.done("past")


def story(w: Writer) -> Scene:
    """A lively tale from life: the voice goes up and down, the hands move, the game waits."""
    for _ in range(w.some(2, 3)):
        w.say("story", "bright")
    w.put("face", "bob", 2.0, 0.5)
    w.laugh(w.span(0.6, 1.2), 0.4)
    return w.done("story")


def film(w: Writer) -> Scene:
    """A film of the game with blasts and flashes; the streamer watches without a word."""
    long_s = w.span(9.0, 20.0)
    w.put("scene", "film", long_s)
    w.put("music", "fight", long_s, 1.1)
    for part in (0.2, 0.5, 0.75):
        w.put("sfx", "boom", 2.0, w.span(0.5, 1.2), after_s=long_s * part)
        w.put("pic", "flash", 0.5, after_s=long_s * part)
    w.put("sfx", "npc", 3.0, after_s=long_s * 0.3)
    w.now_s += long_s
    return w.done("film")


def again(w: Writer) -> Scene:
    """A loss as there are many: the screen of the dead, half a sentence, the next try."""
    if w.who.game == "ball":
        w.put("sfx", "roar", 4.0, 0.35)
    else:
        w.put("pic", "drop", 0.6, 0.7)
        w.put("sfx", "lose", 2.2, w.span(0.5, 1.0), after_s=0.5)
    w.death(w.span(2.0, 3.5))
    w.wait(0.8, 2.0)
    w.say("again", "calm")
    w.chat("fail", 0.1)
    return w.done("again")


def unwell(w: Writer) -> Scene:
    """Coughing or sneezing, loud on the microphone."""
    for _ in range(w.some(2, 4)):
        w.put("face", "bob", 0.5, 0.8)
        w.cry("cough", 0.45)
    w.say("unwell", "calm")
    return w.done("cough")


def sponsor(w: Writer) -> Scene:
    """A sponsor's text, read as brightly as it is paid for."""
    w.put("pic", "alert", 10.0)
    for _ in range(w.some(2, 4)):
        w.say("sponsor", "bright")
    return w.done("sponsor")


def sing(w: Writer) -> Scene:
    """Singing along with the game's music."""
    w.put("music", "roam", 8.0, 1.3)
    for _ in range(w.some(1, 2)):
        w.say("sing", "bright")
    return w.done("sing")


def pause(w: Writer) -> Scene:
    """Gone for a drink: the pause screen with its own music, then a chair and a thump on the microphone."""
    long_s = w.span(12.0, 22.0)
    w.put("scene", "pause", long_s)
    w.put("music", "menu", long_s, 1.2)
    w.put("face", "away", long_s)
    w.put("room", "thump", 0.3, 0.9, after_s=long_s - 0.8)
    w.put("room", "creak", 0.8, 0.8, after_s=long_s - 1.6)
    return w.done("pause")


DECOYS: tuple[Callable[[Writer], Scene], ...] = (
    advert, alert, music, raid, dog, house, loud_play, smile, past, story, film, again, unwell,
    sponsor, sing, pause,
)  # fmt: skip
