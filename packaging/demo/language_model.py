"""The language model that `--llm-url` names: made known to the demo's coordinator, asked whether it is there, and what
became of it. None is needed: whatever is wrong with it, the demo goes on without, and says so at its end.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from given import say

CODE = "llm_unusable"
EXIT_CODE = 3
_LANE = "llm"
_MAX_ADDRESS_CHARACTERS = 2_000
# Its calls have deadlines of their own: an answer within 10 s for the list of models.
_ASK_S = 60.0


@dataclasses.dataclass(kw_only=True)
class LanguageModel:
    """What was asked for, and what is known of it.

    Attributes:
        problem: why it cannot be used, by the check at the start or by what happened later; empty: nothing is known.
    """

    url: str
    model: str
    problem: str = ""

    def write_config(self, folder: Path) -> Path:
        """The coordinator's configuration that names it; returns the file."""
        path = folder / "coordinator.toml"
        # JSON's strings are TOML's, but for DEL, which no address holds (checked by `address`).
        lines = ["[[llm.providers]]", 'name = "local"']
        lines += [f"base_url = {json.dumps(self.url)}", f"model = {json.dumps(self.model)}"]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def check(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Let `llm check` ask it for its models; tells the answer."""
        answer, code = _ask(command, environment)
        providers = answer.get("providers") or [{}]
        if code == 0:
            say(f"language model: {self.model} at {self.url} answers")
            if advice := providers[0].get("advice"):
                say(f"language model: {advice}")
            return
        self.problem = (
            providers[0].get("advice")
            or answer.get("error", {}).get("message")
            or f"`llm check` ended with {code}"
        )
        say(
            f"language model: cannot be used ({self.problem}); the demo goes on without it, and ends with {EXIT_CODE}"
        )

    def report(
        self, session: Mapping[str, Any], command: Sequence[str], environment: Mapping[str, str]
    ) -> dict[str, Any]:
        """What was asked, what it cost, and what it changed. Asks the running coordinator for its count."""
        answer, code = _ask(command, environment)
        used = answer.get("today", [])
        moments = [_difference(moment) for moment in session.get("moments", [])]
        judged = [moment for moment in moments if moment["moved"] is not None]
        judge = session.get("judge") or {}
        if not self.problem and not judged and judge.get("reason"):
            self.problem = str(judge["words"])
        return {
            "url": self.url,
            "model": self.model,
            "problem": self.problem or None,
            "calls": sum(item["num_calls"] for item in used) if code == 0 else None,
            "tokens": sum(item["num_tokens"] for item in used) if code == 0 else None,
            "cost_usd": sum(item["cost_usd"] for item in used) if code == 0 else None,
            "judge": judge.get("words"),
            "moments_judged": len(judged),
            "titles": [moment["title"] for moment in judged if moment["title"]],
            "moments": moments,
        }


def address(text: str) -> str:
    """An address, or a model's name, as a command line may give it. Raises ValueError."""
    if not text.strip() or len(text) > _MAX_ADDRESS_CHARACTERS or not text.isprintable():
        raise ValueError(f"{text[:80]!r} is empty, too long, or holds what cannot be printed")
    return text.strip()


def table_lines(llm: Mapping[str, Any] | None, words: Callable[[str], str]) -> list[str]:
    """The report's lines about it. Args: words: the first column."""
    if llm is None:
        return []
    lines = []
    if llm["problem"]:
        lines.append(f"{words('language model')} {llm['model']} at {llm['url']} had no say: {llm['problem']}")
    if llm["calls"] is not None:
        lines.append(
            f"{words('language model')} {llm['calls']} calls of {llm['model']}, {llm['tokens']} tokens, "
            f"${llm['cost_usd']:.4f}; {llm['moments_judged']} moments judged, {len(llm['titles'])} titles its own"
        )
    for moment in llm["moments"]:
        if moment["moved"] is not None:
            title = f" {moment['title']!r}" if moment["title"] else " (no title)"
            tags = "".join(f" #{tag}" for tag in moment["hashtags"])
            lines.append(
                f"{words('')} at {moment['start_s']:.0f} s {moment['score_without']:.2f} -> {moment['score']:.2f}"
                f" ({moment['moved']:+.2f}){title}{tags}"
            )
    return lines


def _difference(moment: Mapping[str, Any]) -> dict[str, Any]:
    """A moment with the model's part read out of its evidence; None where it had no say."""
    parts = [item["weight"] for item in moment["evidence"] if item["lane"] == _LANE]
    opinion = moment.get("opinion") or {}
    moved = sum(parts) if parts else None
    return {
        "start_s": moment["start_s"],
        "end_s": moment["end_s"],
        "score": moment["score"],
        "score_without": round(moment["score"] - (moved or 0.0), 4),
        "moved": moved,
        "title": opinion.get("title") or None,
        "hashtags": list(opinion.get("hashtags") or ()),
    }


def _ask(command: Sequence[str], environment: Mapping[str, str]) -> tuple[dict[str, Any], int]:
    """What one of the coordinator's commands answers, and its exit code; an error of ours where it says nothing."""
    try:
        done = subprocess.run(
            [*command, "--json"],
            env=dict(environment),
            capture_output=True,
            text=True,
            timeout=_ASK_S,
            check=False,
        )
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return {"error": {"message": f"`llm {command[-1]}` did not end within {_ASK_S:.0f} s"}}, 75
    except (OSError, ValueError) as exc:
        return {"error": {"message": f"`llm {command[-1]}` said nothing of use: {exc}"}}, 1
    return (answer if isinstance(answer, dict) else {}), done.returncode
