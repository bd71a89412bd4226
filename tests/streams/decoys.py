"""What is loud, busy or much talked about and yet nothing that a viewer would clip."""

from __future__ import annotations

from collections.abc import Callable

from tests.streams import chat, words
from tests.streams.scenes import Scene, spoken_s
from tests.streams.voice import Line


def _voices(scene: Scene, name: str, until_s: float, effort: float, gap_s: float) -> None:
    """Somebody on the desktop talks until then: an advert, a film, a synthetic reader."""
    at = scene.t + 0.3
    while at < until_s - 1:
        text = words.said(scene.rng, name)
        took = spoken_s(text, scene.streamer, effort)
        scene.others.append(
            Line(start_s=at, end_s=min(until_s, at + took), text=text, effort=effort, speaker=name)
        )
        at += took + scene.between(0.1, gap_s)


def advert(scene: Scene) -> None:
    """A break with spots of 5 to 15 s: loud, cut fast, the streamer away or muted."""
    end = scene.between(15, 40)
    scene.mode("advert", 0, end)
    scene.sound("jingle", scene.between(0.7, 1.1), end)
    _voices(scene, "advert", end, 0.45, 0.6)
    scene.react("ads", 1.2, 10)
    scene.t = end
    scene.done()


def music(scene: Scene) -> None:
    """The streamer sings or hums along with a loud song."""
    end = scene.between(15, 40)
    scene.sound("song", scene.between(0.6, 1.0), end)
    while scene.t < end - 3:
        scene.utter("sing", scene.between(1.5, 4), scene.between(0.35, 0.6))
        scene.lines[-1] = Line(
            start_s=scene.lines[-1].start_s, end_s=scene.lines[-1].end_s, text="la na na oh oh la na na na",
            effort=scene.lines[-1].effort, style="sing",
        )  # fmt: skip
        scene.wait(0.5, 3)
    scene.t = end
    scene.done()


def raid(scene: Scene) -> None:
    """Another channel's viewers arrive: an alarm, a flood of the same words, a polite welcome."""
    scene.sound("alert", 1.0, 3)
    scene.look("popup", 6)
    scene.chats.append(
        chat.Cue(at_s=scene.between(-2, 2), mood="raid", strength=scene.between(4, 12), spread_s=10)
    )
    scene.wait(1, 2.5)
    for _ in range(int(scene.rng.integers(2, 5))):
        scene.say("raid_after", scene.voice_effort(scene.between(0.1, 0.4)), pause_s=0.5)
    scene.done()


def raffle(scene: Scene) -> None:
    """Everybody types the same word."""
    for _ in range(3):
        scene.say("raffle", scene.voice_effort(0.1), pause_s=0.8)
    scene.chats.append(chat.Cue(at_s=2, mood="join", strength=scene.between(3, 9), spread_s=14))
    scene.wait(6, 14)
    scene.done()


def poll(scene: Scene) -> None:
    """The streamer asks, and everybody answers."""
    scene.say("poll", scene.voice_effort(0.1))
    scene.react("answers", scene.between(2, 6), 8, missing=0)
    scene.wait(3, 8)
    scene.done()


def spam(scene: Scene) -> None:
    """One text over and over, and nothing happens."""
    scene.chats.append(chat.Cue(at_s=0, mood="pasta", strength=scene.between(2, 6), spread_s=10))
    scene.t = 12
    scene.done()


def alert(scene: Scene) -> None:
    """A donation: a chime, a synthetic voice reads, the streamer thanks."""
    scene.sound("alert", scene.between(0.6, 1.2), 2)
    scene.look("popup", 6)
    text = words.said(scene.rng, "tts")
    took = spoken_s(text, scene.streamer, 0.3)
    scene.others.append(Line(start_s=2, end_s=2 + took, text=text, effort=0.35, speaker="tts"))
    scene.t = 2.3 + took
    if scene.chance(0.25):
        scene.utter("laugh", scene.between(0.5, 1.2), 0.4)
    scene.say("alert_after", scene.voice_effort(0.1))
    scene.done()


def hype_train(scene: Scene) -> None:
    """Several gifts in a row: chimes, emotes, short thanks."""
    for _ in range(int(scene.rng.integers(2, 5))):
        scene.sound("alert", scene.between(0.6, 1.1), 2)
        scene.look("popup", 3)
        scene.wait(2, 4)
        scene.say("alert_after", scene.voice_effort(0.2))
    scene.chats.append(chat.Cue(at_s=2, mood="subs", strength=scene.between(3, 9), spread_s=14))
    scene.done()


def explosion(scene: Scene) -> None:
    """The game is loud and the streamer does not care."""
    until = scene.between(5, 12)
    scene.act(0, until, 0.9)
    while scene.t < until:
        name = "crash" if scene.streamer.genre == "racing" else "explosion"
        scene.sound(name, scene.between(0.6, 1.1), 2)
        scene.look("flash", 0.4, 0.9)
        scene.wait(1, 4)
    scene.done()


def pet(scene: Scene) -> None:
    """Shouting, at an animal."""
    for _ in range(int(scene.rng.integers(2, 5))):
        scene.say("pet", scene.voice_effort(scene.between(0.4, 0.9)), "shout", 0.4)
    scene.look("away", scene.t)
    scene.react("pet", 1.5, missing=0.4)
    scene.done()


def cough(scene: Scene) -> None:
    """A fit of coughing or a sneeze, right into the microphone."""
    for _ in range(int(scene.rng.integers(1, 4))):
        scene.utter(
            str(scene.rng.choice(["cough", "sneeze"])), scene.between(0.5, 1.1), scene.between(0.6, 1.0)
        )
        scene.wait(0.2, 1.2)
    scene.say("excuse", scene.voice_effort(0.0))
    scene.react("bless", 1.2, missing=0.5)
    scene.done()


def cutscene(scene: Scene) -> None:
    """A film within the game: an orchestra, voices, the streamer silent."""
    end = scene.between(18, 40)
    scene.mode("cutscene", 0, end)
    scene.sound("orchestra", scene.between(0.7, 1.1), end)
    for _ in range(int(scene.rng.integers(0, 3))):
        scene.sound("explosion", 0.8, 2, after_s=scene.between(2, end - 3))
    _voices(scene, "cutscene", end, scene.between(0.3, 0.7), 5)
    scene.t = end
    scene.done()


def old_win(scene: Scene) -> None:
    """The words of a great moment, told at leisure."""
    until = scene.between(10, 22)
    while scene.t < until:
        scene.say("old_win", scene.voice_effort(scene.between(0.0, 0.15)), pause_s=0.5)
    scene.act(0, scene.t, 0.1)
    scene.done()


def lobby(scene: Scene) -> None:
    """Waiting for the next round with the menu's music too loud."""
    end = scene.between(15, 40)
    scene.mode("lobby", 0, end)
    scene.sound("song", scene.between(0.7, 1.1), end)
    while scene.t < end - 3:
        scene.say("lobby", scene.voice_effort(0.0))
        scene.wait(2, 7)
    scene.t = end
    scene.done()


def pause(scene: Scene) -> None:
    """A screen that says so, music, nobody there."""
    scene.say("pause_before", scene.voice_effort(0.05))
    end = scene.t + scene.between(20, 45)
    scene.mode("pause", scene.t, end)
    scene.sound("song", scene.between(0.4, 0.9), end - scene.t)
    scene.t = end + 0.5
    scene.say("pause_after", scene.voice_effort(0.05))
    scene.done()


ANYWHERE: dict[str, Callable[[Scene], None]] = {
    "advert": advert, "music": music, "raid": raid, "raffle": raffle, "spam": spam, "poll": poll, "alert": alert,
    "hype_train": hype_train, "pet": pet, "cough": cough, "old_win": old_win, "pause": pause,
}  # fmt: skip
IN_GAMES: dict[str, Callable[[Scene], None]] = {"explosion": explosion, "cutscene": cutscene, "lobby": lobby}
