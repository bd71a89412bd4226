"""A taste in words and as plain values: what was learnt, and what it did to a score. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from protos.taste import Subject, Verdict, last_words
from protos.taste_model import MIN_LEARNT, Taste, Tasted, Weight, tasted

# Weights below this change nothing that anybody would see.
_SAYS_SOMETHING: Final = 0.15
_MAX_LINES: Final = 8
_MAX_EXAMPLES: Final = 5
_COUNTED: Final = {
    "keep": "kept",
    "extend": "moved the ends of",
    "skip": "skipped",
    "delete": "deleted",
    "undo": "took back",
}


def thing(weight: Weight) -> str:
    """What a weight is about: `funny moments`, `moments that rest on chat`."""
    group, _, name = weight.name.partition(":")
    if group == "kind":
        return f"{name} moments"
    return f"moments that rest on {name}" if group == "lane" else "moments longer than usual"


def note_of(found: Tasted, *, score: float) -> str:
    """What a taste did to a score, as evidence: `you kept 8 of 9 funny moments: the score rose by 0.12, from 0.61`."""
    if found.like is None:
        return ""
    like = found.like
    verb = "rose" if found.moved > 0 else "fell"
    said = f"the score {verb} by {abs(found.moved):.2f}, from {score:.2f}"
    # Of a length, or of a lane that is missing, there is nothing to count.
    if like.num == 0 or like.name == "duration" or (like.weight > 0) != (found.moved > 0):
        return f"you keep {'more' if found.moved > 0 else 'fewer'} like this: {said}"
    return f"you kept {like.num_kept} of {like.num} {thing(like)}: {said}"


def lines_of(taste: Taste) -> list[str]:
    """What was learnt, for people."""
    if not taste.counts:
        return ["nothing is known of your taste yet: keep, skip or delete some moments"]
    done = [f"{_COUNTED[kind]} {taste.counts[kind]}" for kind in _COUNTED if taste.counts.get(kind)]
    lines = [f"you {', '.join(done)}"]
    if not taste.weights:
        lines.append(
            f"too little to learn from: it takes {MIN_LEARNT} moments, some kept and some not; no score is moved"
        )
    elif taste.trust < 0.01:
        lines.append("what you keep follows nothing that is measured; no score is moved")
    else:
        lines.append(f"it foretells what you keep, and counts for {taste.trust:.0%} of what it may")
        strong = [weight for weight in taste.weights if abs(weight.weight) >= _SAYS_SOMETHING]
        strong.sort(key=lambda weight: (-abs(weight.weight), weight.name))
        lines += [_line(weight) for weight in strong[:_MAX_LINES]]
    for name, moved_s in (("start", taste.before_s), ("end", taste.after_s)):
        if moved_s:
            change = "longer" if moved_s > 0 else "shorter"
            lines.append(f"new moments are {abs(moved_s):.1f} s {change} at their {name}, as you moved them")
    return lines


def _line(weight: Weight) -> str:
    rank = "more" if weight.weight > 0 else "less"
    kept = "" if weight.name == "duration" else f": you kept {weight.num_kept} of {weight.num}"
    return f"{thing(weight)} count {rank} ({weight.weight:+.1f}){kept}"


def shown(taste: Taste, verdicts: Iterable[Verdict] = (), moments: Iterable[Subject] = ()) -> dict[str, Any]:
    """A taste as plain values: counts, weights, examples of verdicts, and what it changes of these moments."""
    return {
        "counts": dict(taste.counts),
        "num_learnt": taste.num_learnt,
        "num_kept": taste.num_kept,
        "trust": round(taste.trust, 4),
        "before_s": taste.before_s,
        "after_s": taste.after_s,
        "weights": [
            {
                "name": weight.name,
                "weight": round(weight.weight, 4),
                "num": weight.num,
                "num_kept": weight.num_kept,
                "words": _line(weight),
            }
            for weight in sorted(taste.weights, key=lambda one: (-abs(one.weight), one.name))
        ],
        "examples": [
            {"moment_id": one.subject.moment_id, "kind": one.subject.kind, "verdict": one.kind}
            for one in last_words(list(verdicts))[:_MAX_EXAMPLES]
        ],
        "changes": _changes(taste, moments),
        "lines": lines_of(taste),
    }


def _changes(taste: Taste, moments: Iterable[Subject]) -> list[dict[str, Any]]:
    """The moments whose scores are moved most."""
    found = [(one, tasted(taste, one)) for one in moments]
    moved = sorted(found, key=lambda pair: (-abs(pair[1].moved), pair[0].moment_id))
    return [
        {
            "moment_id": one.moment_id,
            "kind": one.kind,
            "score": round(one.score, 4),
            "score_with_taste": round(after.score, 4),
            "note": note_of(after, score=one.score),
        }
        for one, after in moved[:_MAX_EXAMPLES]
        if after.moved
    ]


def lines_of_shown(value: Mapping[str, Any]) -> list[str]:
    """All of what `shown` says, for people."""
    return [*value["lines"], *(f"{one['moment_id'][:8]}  {one['note']}" for one in value["changes"])]
