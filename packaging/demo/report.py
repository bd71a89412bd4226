"""The demo's results: collected from finished files, the library and the coordinator's JSON; as a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import language_model
import measure
from given import say
from stage import Stage
from watch import Watch

SECOND_NS = 1_000_000_000


def collect(stage: Stage, watch: Watch) -> dict[str, Any]:
    """One object with everything; paths are those of files that stay."""
    truth = json.loads(stage.truth_file.read_text(encoding="utf-8")) if stage.truth_file.exists() else None
    session = watch.session
    offset_s = _match_offset_s(watch)
    moments = session.get("moments", [])
    exports = _save_exports(stage, session)
    uplink = watch.status.get("uplink", {})
    words = session.get("transcript", {}).get("words", [])
    results = {
        "clip": _clip(watch, truth, offset_s),
        "moments": [
            {key: moment[key] for key in ("start_s", "end_s", "peak_s", "score", "kind", "title", "evidence")}
            for moment in moments
        ],
        "moments_reason": session.get("moments_reason") or None,
        "exports": exports,
        "moment_to_post_s": [
            export["moment_to_post_s"] for export in exports if export["moment_to_post_s"] is not None
        ],
        "transcript": {
            "engine": session.get("transcript", {}).get("engine"),
            "model": session.get("transcript", {}).get("model"),
            "reason": stage.model_reason or session.get("transcript", {}).get("reason") or None,
            "words": words,
        },
        "agent": {
            "cpu_s_per_s": None if watch.cpu_s_per_s is None else round(watch.cpu_s_per_s, 3),
            "frames_captured": watch.status.get("frames_captured"),
            "frames_dropped": watch.status.get("frames_dropped"),
            "captured_bytes": watch.status.get("captured_bytes"),
        },
        "uplink": {
            "bytes": uplink.get("bytes_sent"),
            "source_bytes": uplink.get("source_bytes_sent"),
            "chunks_sent": sum(lane["num"] for lane in session.get("chunks", {}).values()),
            "chunks_stored": sum(lane["num_stored"] for lane in session.get("chunks", {}).values()),
            "chunks_missing": sum(lane["num_missing"] for lane in session.get("chunks", {}).values()),
        },
        "jobs": {key: session.get("jobs", {}).get(key) for key in ("done", "failed")},
        "page": stage.page,
        "llm": None
        if stage.llm is None
        else stage.llm.report(
            session, stage.command("coordinator", "llm", "usage"), stage.coordinator_environment()
        ),
        "match": _match(stage, watch, truth, moments, words, offset_s),
        "left_out": stage.left_out,
        "folder": str(stage.out),
    }
    if results["llm"] is not None and results["llm"]["problem"]:
        # Everything else was done; what was asked for besides was not.
        results["error"] = {
            "code": language_model.CODE, "message": results["llm"]["problem"], "retryable": True
        }  # fmt: skip
    (stage.out / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
    return results


def _match_offset_s(watch: Watch) -> float:
    """Where the match's second 0 lies on the session's line."""
    session_t0_ns = int(watch.status.get("session_t0_monotonic_ns", 0))
    return (watch.t0_monotonic_ns - session_t0_ns) / SECOND_NS if watch.t0_monotonic_ns else 0.0


def _clip(watch: Watch, truth: dict[str, Any] | None, offset_s: float) -> dict[str, Any] | None:
    if watch.clip is None:
        return {
            "path": None,
            "duration_s": None,
            "latency_ms": None,
            "av_offset_ms": None,
            "error": watch.press_error,
        }
    clip = watch.clip
    offset_ms = None
    if truth is not None:
        start_s = clip["start_ns"] / SECOND_NS
        shots_s = [span["shot_s"] + offset_s - start_s for span in truth["highlights"]]
        inside = [at_s for at_s in shots_s if 0.6 < at_s < clip["duration_s"] - 0.6]
        offset_ms = measure.av_offset_ms(Path(clip["path"]), inside)
    return {
        "path": clip["path"],
        "duration_s": clip["duration_s"],
        "latency_ms": clip["latency_ms"],
        "av_offset_ms": None if offset_ms is None else round(offset_ms, 1),
    }


def _save_exports(stage: Stage, session: dict[str, Any]) -> list[dict[str, Any]]:
    """Fetch every finished post to the results' folder; posts of the best moments first."""
    folder = stage.out / "posts"
    folder.mkdir(exist_ok=True)
    saved = []
    for item in (*session.get("moments", []), *session.get("presses", [])):
        for export in item["exports"]:
            if export["state"] != "ready":
                continue
            path = folder / f"{len(saved) + 1:02}_{export['preset']}.mp4"
            with (
                httpx.stream("GET", f"{stage.page.rstrip('/')}{export['url']}", timeout=30) as answer,
                path.open("wb") as file,
            ):
                answer.raise_for_status()
                for part in answer.iter_bytes():
                    file.write(part)
            names = ("width", "height", "duration_s", "lufs", "captions", "preset", "moment_to_post_s")
            saved.append(
                {"path": str(path), **{name: export[name] for name in names}, "title": item.get("title")}
            )
    return saved


def _match(
    stage: Stage,
    watch: Watch,
    truth: dict[str, Any] | None,
    moments: list[dict[str, Any]],
    words: list[dict[str, Any]],
    offset_s: float,
) -> dict[str, Any] | None:
    """How well the match was understood; None for a recording, of which nobody knows the truth."""
    if truth is None:
        return None
    heard = [word["text"] for word in words]
    spoken = [line["text"] for line in truth["spoken"]]
    post_times = sorted(watch.posts_while_live.values())
    return {
        "duration_s": truth["duration_s"],
        "wer": _rounded(measure.word_error_rate(spoken, heard)),
        "wer_without_grammar": _rounded(_wer_without_grammar(stage, watch, truth)),
        **measure.found_highlights(truth, moments, offset_s),
        "posts_ready_while_live_s": [round(at_s, 1) for at_s in post_times],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _wer_without_grammar(stage: Stage, watch: Watch, truth: dict[str, Any]) -> float | None:
    """The same engine on the clip's own microphone, without the phrases: what a stream of free speech would get."""
    import subprocess

    if watch.clip is None or watch.session.get("transcript", {}).get("engine") != "pocketsphinx":
        return None
    say("hearing the clip once more without the grammar, to compare")
    try:
        done = subprocess.run(
            stage.command("coordinator", "transcribe", watch.clip["path"], "--engine", "pocketsphinx", "--json"),
            capture_output=True, text=True, timeout=120, check=False, env=stage.environment,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        # A comparison, on a machine that has too much to do: the results stand without it.
        return None
    if done.returncode != 0:
        return None
    offset_s = watch.clip["start_ns"] / SECOND_NS - _match_offset_s(watch)
    inside = [
        line["text"]
        for line in truth["spoken"]
        if offset_s <= line["start_s"] and line["end_s"] <= offset_s + watch.clip["duration_s"]
    ]
    heard = [word["text"] for word in json.loads(done.stdout)["words"]]
    return measure.word_error_rate(inside, heard)


def table(results: dict[str, Any]) -> str:
    """A short table for people."""
    clip, agent, uplink = results["clip"], results["agent"], results["uplink"]
    lines = ["", f"{'clip by key press':24} {_clip_words(clip)}"]
    lines.append(f"{'moments':24} {len(results['moments']) or 'none: ' + str(results['moments_reason'])}")
    for moment in results["moments"][:5]:
        why = "; ".join(item["note"] for item in moment["evidence"][:3])
        lines.append(f"{'':24} {moment['score']:.2f} {moment['title'] or moment['kind']}: {why}")
    lines += language_model.table_lines(results["llm"], lambda words: f"{words:24}")
    for export in results["exports"]:
        lines.append(
            f"{'post':24} {export['width']}x{export['height']} {export['duration_s']:.1f} s, "
            f"{export['captions']} words, {export['lufs']} LUFS, {export['moment_to_post_s']} s after the moment: "
            f"{export['path']}"
        )
    transcript = results["transcript"]
    lines.append(
        f"{'speech':24} {transcript['engine']}: {len(transcript['words'])} words"
        + (f" ({transcript['reason']})" if transcript["reason"] else "")
    )
    match = results["match"]
    if match:
        lines.append(
            f"{'match':24} word errors {match['wer']} (without the grammar {match['wer_without_grammar']}); "
            f"highlights ranked {match['highlight_ranks']}, decoys {match['decoy_ranks']}"
        )
    lines.append(
        f"{'agent':24} {agent['cpu_s_per_s']} CPU s a second, {agent['frames_captured']} frames, "
        f"{agent['frames_dropped']} dropped"
    )
    share = 100 * uplink["bytes"] / agent["captured_bytes"] if agent["captured_bytes"] else 0.0
    lines.append(
        f"{'left this PC':24} {uplink['bytes'] / 1e6:.2f} MB of sound and signals ({share:.1f} % of what was "
        f"captured), {uplink['source_bytes'] / 1e6:.2f} MB of requested video"
    )
    lines.append(f"{'jobs':24} {results['jobs']['done']} done, {results['jobs']['failed']} failed")
    lines += [f"{'left out':24} {words}" for words in results["left_out"]]
    lines.append(f"{'page':24} {results['page']}")
    lines.append(f"{'files':24} {results['folder']}")
    return "\n".join(lines)


def _clip_words(clip: dict[str, Any]) -> str:
    if clip["path"] is None:
        return f"not saved: {clip.get('error') or 'no press was heard'}"
    offset = "" if clip["av_offset_ms"] is None else f", sound {clip['av_offset_ms']:+.0f} ms"
    return f"{clip['duration_s']:.2f} s, saved in {clip['latency_ms']} ms{offset}: {clip['path']}"
