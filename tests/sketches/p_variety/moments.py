"""The moments of an ordinary evening: what happens, and how the streamer takes it."""

from __future__ import annotations

from collections.abc import Callable

from tests.sketches.p_variety.script import Scene, Writer


def _calm_end(w: Writer) -> None:
    """Often, calm talk after it all, which is no part of it."""
    if w.chance(0.6):
        w.wait(0.4, 1.5)
        w.say("after", "calm")


def find(w: Writer) -> Scene:
    """Glad: a rare thing turns up. The opening itself is usual play."""
    if w.chance(0.5):
        w.say("seek", "play")
    w.put("sfx", "open", 1.0, tells=False)
    w.wait(0.8, 1.4)
    w.peak()
    w.put("sfx", "glory", 3.5, w.span(0.6, 1.2))
    w.put("pic", "flash", 0.5)
    w.put("pic", "burst", w.span(1.2, 3.0))
    w.chat("hype")
    w.wait(0.3, 1.1)
    w.put("face", "jump", 1.2)
    if w.chance(0.4):
        w.cry("gasp", 0.6)
    w.say("wow", "shout")
    if w.chance(0.5):
        w.put("face", "hands", 2.5)
        w.put("room", "clap", 1.5, w.span(0.5, 1.0))
    for _ in range(w.some(1, 4)):
        w.say("glad", "shout" if w.chance(0.3) else "lift")
    _calm_end(w)
    return w.done("hype")


def reveal(w: Writer) -> Scene:
    """Glad: the great gate opens at last, the game makes much of it, the streamer goes along."""
    w.peak()
    long_s = w.span(7.0, 15.0)
    w.put("sfx", "rumble", long_s)
    w.put("sfx", "glory", 3.5, after_s=long_s * 0.5)
    w.put("pic", "shake", long_s * 0.6, 0.7)
    w.put("pic", "flash", 0.8, after_s=long_s * 0.5)
    w.wait(0.8, 2.0)
    w.put("face", "lean", 4.0)
    w.chat("hype", 0.7)
    w.say("reveal", "lift")
    w.wait(0.3, 1.2)
    w.say("wow", "shout")
    for _ in range(w.some(1, 3)):
        w.say("reveal" if w.chance(0.5) else "glad", "lift")
    _calm_end(w)
    return w.done("hype")


def glitch(w: Writer) -> Scene:
    """Amused: the game does something silly, and it takes a while until the laughter is over."""
    w.peak()
    w.put("sfx", "boing", w.span(1.0, 2.2), w.span(0.5, 1.1))
    w.put("pic", "spin", w.span(1.5, 4.0))
    w.wait(0.5, 1.5)
    if w.chance(0.6):
        w.say("joke", "giggle")
    w.chat("funny")
    for _ in range(w.some(1, 3)):
        w.laugh(w.span(1.5, 4.5), w.span(0.7, 1.3))
        if w.chance(0.7):
            w.say("joke", "giggle")
    w.laugh(w.span(1.0, 2.5), 0.6)
    _calm_end(w)
    return w.done("funny")


def slipup(w: Writer) -> Scene:
    """Amused: a slip of the tongue. The line is said calmly, and the game adds nothing."""
    w.say("slipup", "calm")
    w.wait(0.2, 1.0)
    w.peak()
    w.chat("funny")
    w.laugh(w.span(2.0, 5.0), 1.1)
    if w.chance(0.5):
        w.put("room", "thump", 0.3, 0.6)
    for _ in range(w.some(1, 3)):
        w.say("joke", "giggle")
        w.laugh(w.span(1.2, 3.5), w.span(0.6, 1.1))
    _calm_end(w)
    return w.done("funny")


def scare(w: Writer) -> Scene:
    """Startled: a hush, which is part of it, a sting of sound, a scream, then laughter or a death."""
    if w.chance(0.7):
        w.put("pic", "dark", w.span(4.0, 6.0), 0.8)
        for _ in range(w.some(1, 2)):
            w.say("creep", "hush")
            w.wait(0.2, 1.5)
    w.peak()
    w.put("sfx", "sting", 1.8, w.span(0.8, 1.3))
    w.put("pic", "flash", 0.3)
    w.put("pic", "shake", 1.5)
    w.chat("funny", 0.9)
    w.wait(0.12, 0.35)
    w.put("face", "jump", 1.5, 1.6)
    w.cry("scream", w.span(0.6, 1.5))
    if w.chance(0.4):
        w.put("room", "thump", 0.3)
    for _ in range(w.some(1, 2)):
        w.say("scared", "shout" if w.chance(0.5) else "lift")
    died = w.chance(0.35)
    if died:
        w.put("sfx", "lose", 2.2)
        w.death(w.span(2.5, 4.0))
        w.say("ohno", "groan")
    else:
        w.laugh(w.span(1.5, 4.0))
        w.say("scared" if w.chance(0.5) else "joke", "giggle")
    _calm_end(w)
    return w.done("fail" if died else "funny")


def close_fight(w: Writer) -> Scene:
    """Clutch: a fight at the last of one's strength, won. Its alarm and din stand out from usual play."""
    long_s = w.span(6.0, 16.0)
    w.put("heat", "fight", long_s, w.span(0.85, 1.1))
    w.put("sfx", "alarm" if w.chance(0.5) else "heart", long_s, w.span(0.5, 1.0))
    w.put("pic", "shake", long_s, 0.4)
    w.put("face", "lean", long_s, 0.8)
    end_s = w.now_s + long_s
    w.wait(0.3, 1.5)
    tone = "hush" if w.chance(0.5) else "lift"
    while w.now_s < end_s - 2.0:
        w.say("pinch", tone)
        w.wait(0.3, 2.0)
    w.now_s = max(w.now_s, end_s)
    w.peak()
    w.put("sfx", "boom", 2.0)
    w.put("sfx", "win", 2.5, 0.8, after_s=0.6)
    w.put("pic", "burst", 1.5)
    w.put("pic", "flash", 0.4)
    w.chat("clutch")
    w.wait(0.1, 0.5)
    w.put("face", "jump", 1.5)
    w.say("won", "shout")
    w.put("face", "hands", 3.0)
    if w.chance(0.4):
        w.cry("sigh", 1.0)
    for _ in range(w.some(1, 3)):
        w.say("relief", "lift")
    _calm_end(w)
    return w.done("clutch")


def saved(w: Writer) -> Scene:
    """Clutch: all but lost and pulled back within two seconds (a save on the line, a ledge just caught)."""
    w.peak()
    w.put("pic", "drop", w.span(0.8, 1.4), 0.7)
    w.put("sfx", "swell" if w.who.game == "ball" else "fall", 1.2)
    w.say("ohno", "lift")
    w.put("sfx", "win", 2.5)
    w.put("pic", "flash", 0.4)
    w.chat("clutch", 0.8)
    w.put("face", "jump", 1.2)
    w.say("won", "shout")
    if w.chance(0.5):
        w.laugh(w.span(0.8, 2.0), 0.7)
    for _ in range(w.some(1, 2)):
        w.say("relief", "lift")
    _calm_end(w)
    return w.done("clutch")


def fall(w: Writer) -> Scene:
    """Fail: down it goes, and much is lost; groans, words of regret, now and then rueful laughter."""
    if w.chance(0.5):
        w.say("usual", "play")
    w.peak()
    w.put("sfx", "fall", 1.2)
    w.put("pic", "drop", 1.2)
    w.put("sfx", "crash", 1.2, after_s=1.1)
    w.put("sfx", "lose", 2.2, 0.8, after_s=2.0)
    w.death(w.span(3.0, 5.0), 1.3)
    w.wait(0.4, 1.2)
    w.chat("fail")
    w.say("ohno", "shout" if w.chance(0.5) else "groan")
    w.put("face", "slump", w.span(3.0, 6.0))
    w.say("ohno", "groan")
    if w.chance(0.5):
        w.cry("sigh", 1.2)
    for _ in range(w.some(1, 3)):
        w.say("lost", "groan" if w.chance(0.6) else "angry")
    if w.chance(0.35):
        w.laugh(w.span(1.0, 2.5), 0.6)
    _calm_end(w)
    return w.done("fail")


def blunder(w: Writer) -> Scene:
    """Fail: a wrong press, seen by the streamer before the game tells it; no loud sound at all."""
    w.peak()
    w.put("face", "jump", 0.9)
    w.cry("gasp", 0.6)
    w.say("ohno", "lift")
    w.put("sfx", "lose", 2.2, 0.5)
    w.put("pic", "dark", w.span(3.0, 5.0), 0.7)
    w.chat("fail", 0.7)
    w.put("face", "slump", w.span(3.0, 5.0))
    for _ in range(w.some(1, 3)):
        w.say("lost", "groan")
    w.cry("sigh", 1.3)
    _calm_end(w)
    return w.done("fail")


def goal(w: Writer) -> Scene:
    """Score: a goal, which the crowd's rise before it is part of, or a record told by fanfare and banner."""
    ball = w.who.game == "ball"
    if ball:
        w.put("sfx", "swell", 3.0, w.span(0.6, 1.0))
        w.put("heat", "rush", 3.0, 0.9)
        w.wait(1.5, 2.5)
    w.peak()
    w.put("sfx", "roar" if ball else "win", w.span(5.0, 9.0) if ball else 2.5)
    if ball:
        w.put("sfx", "caller", w.span(2.5, 3.5), after_s=0.4)
        w.put("pic", "replay", w.span(3.0, 5.0), after_s=w.span(3.0, 4.0))
    w.put("pic", "flash", 0.4)
    w.put("pic", "banner", w.span(3.0, 5.0))
    w.chat("score")
    w.wait(0.1, 0.6)
    w.put("face", "hands", 2.5)
    w.say("goal" if ball else "record", "shout")
    if w.chance(0.35):
        w.put("room", "clap", 1.5)
    for _ in range(w.some(1, 3)):
        w.say("praise" if ball else "tally", "lift")
    _calm_end(w)
    return w.done("score")


def outburst(w: Writer) -> Scene:
    """Angry: the same loss again. The desk is struck, the voice rises and takes its time to come down."""
    w.peak()
    if w.chance(0.75):
        w.put("sfx", "crash", 1.2)
        w.death(w.span(2.0, 3.5), 0.4)
    else:
        w.put("sfx", "pea", 0.8)
    w.put("face", "jump", 1.0)
    w.wait(0.4, 1.2)
    w.chat("rage")
    for i in range(w.some(2, 6)):
        w.say("rage", "angry" if w.chance(0.75) else "shout")
        if w.chance(0.5 if i else 0.8):
            w.put("room", "thump", 0.3, w.span(0.6, 1.3))
        w.put("face", "bob", 1.0, w.span(0.4, 1.2))
    if w.chance(0.5):
        w.cry("sigh", 1.4)
    w.say("sulk", "groan" if w.chance(0.5) else "calm")
    return w.done("rage")


def letter(w: Writer) -> Scene:
    """Wholesome: a message is read; the camera fills the picture, the voice is soft. The chime is usual."""
    w.put("sfx", "alert", 1.5, 0.7, tells=False)
    w.put("pic", "alert", 4.0, tells=False)
    w.wait(1.5, 3.0)
    if w.chance(0.5):
        w.say("thanks", "calm")
    w.peak()
    from_s = w.now_s
    w.say("letter", "moved")
    w.wait(0.5, 1.8)
    w.chat("wholesome")
    w.put("face", "lean", 3.0)
    if w.chance(0.6):
        w.cry("sniff", 0.5)
    for _ in range(w.some(2, 4)):
        w.say("touched", "moved")
        w.wait(0.2, 1.0)
    w.since("scene", "camera", from_s)
    w.since("sfx", "tender", from_s + 0.5, w.span(0.5, 1.0))
    _calm_end(w)
    return w.done("wholesome")


def visit(w: Writer) -> Scene:
    """Wholesome: a pet or a child comes into the camera, is spoken to in a high soft voice, laughed about."""
    w.peak()
    if w.chance(0.5):
        w.put("room", "mew", 0.8)
    from_s = w.now_s
    w.wait(0.3, 1.2)
    w.chat("wholesome")
    for _ in range(w.some(2, 4)):
        w.say("pet", "coo")
        if w.chance(0.4):
            w.laugh(w.span(0.7, 1.8), 0.6)
    w.wait(0.2, 1.5)
    w.since("face", "guest", from_s, 2.0)
    if w.chance(0.5):
        w.since("scene", "camera", from_s)
    _calm_end(w)
    return w.done("wholesome")


MOMENTS: dict[str, tuple[Callable[[Writer], Scene], ...]] = {
    "hype": (find, reveal),
    "funny": (glitch, slipup, scare),
    "clutch": (close_fight, saved),
    "fail": (fall, blunder),
    "score": (goal,),
    "rage": (outburst,),
    "wholesome": (letter, visit),
}
