"""`clippy forget` of an engine that runs: a real ring, real clips, a real outbox whose coordinator is down."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.engine.forgetting_parts import make_forgetter
from agent.engine.sending import Sending
from protos.clippy.v1 import control_pb2
from protos.timebase import SECOND_NS
from tests.fakes.told_command import ToldEngine, refusal
from tests.fakes.watched_recording import WatchedRecording


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToldEngine]:
    """Short chunks, so that some wait in the outbox soon."""
    folder = tmp_path_factory.mktemp("forgetful")
    (folder / "ca.pem").write_text("not a certificate", encoding="ascii")
    (folder / "token").write_text("a-token\n", encoding="ascii")
    with ToldEngine(
        folder,
        UPLINK__ADDRESS="127.0.0.1:9",
        UPLINK__CA_FILE=folder / "ca.pem",
        UPLINK__TOKEN_FILE=folder / "token",
        UPLINK__CHUNK_S=2,
    ) as running:
        yield running


def test_what_is_forgotten_of_a_ring_that_runs_is_in_no_clip_after_it(tmp_path: Path):
    with WatchedRecording(tmp_path, is_generated=True) as watched:
        recording = watched.recording
        watched.wait_until(lambda: recording.ring.newest_ns > 3 * SECOND_NS, "three seconds")
        clip = watched.clip(1)
        forgetter = make_forgetter(
            watched.paths,
            recording,
            Sending(watched.paths, watched.config, on_change=lambda: None),
            watched.watching,
        )

        receipt = forgetter.forget(
            control_pb2.ForgetRequest(last_ns=2 * SECOND_NS),
            session_id=recording.session_id,
            now_ns=recording.now_ns,
        )

        assert {"ring", "pins"} <= {thing.what for thing in receipt.gone}
        assert [listed.clip_id for listed in receipt.overlapping_clips] == [clip.clip_id]
        end_ns = receipt.end_ns
        watched.wait_until(lambda: recording.ring.newest_ns > end_ns + 2 * SECOND_NS, "what comes after it")
        assert watched.clip(60).start_ns >= end_ns - SECOND_NS // 10
        assert watched.alarms == []


def outbox_spans(engine: ToldEngine) -> list[tuple[int, int]]:
    path = Path(engine.environment["CLIPPY_AGENT_DATA"]) / "outbox.db"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        rows = db.execute("select start_ns, end_ns from chunks").fetchall()
    db.close()
    return [(start_ns, end_ns) for start_ns, end_ns in rows]


def counts(things: list[dict[str, Any]]) -> dict[str, int]:
    return {thing["what"]: thing["count"] for thing in things}


@pytest.mark.slow
def test_without_yes_and_without_a_terminal_nothing_is_forgotten(engine: ToldEngine):
    exit_code, code, message = refusal(
        "-m", "agent", "forget", "--last", "5", "--json", environment=engine.environment
    )

    assert (exit_code, code) == (2, "input_unusable")
    assert "--yes" in message and "--preview" in message


@pytest.mark.slow
def test_a_span_goes_from_ring_outbox_and_ticked_clips_and_comes_back_nowhere(engine: ToldEngine):
    engine.wait_for("six seconds", lambda status: status.buffered_ns > 6 * SECOND_NS)
    kept, ticked = (engine.ask("clip", "--last", "2")[1] for _ in range(2))
    words = ["--from", str(kept["start_ns"] / SECOND_NS), "--clips", ticked["clip_id"]]
    _, preview = engine.ask("forget", *words, "--preview")
    assert preview["is_preview"] and counts(preview["gone"])["ring"] >= 2
    assert Path(ticked["path"]).exists()

    exit_code, receipt = engine.ask("forget", *words, "--yes")

    assert exit_code == 0
    gone = counts(receipt["gone"])
    assert gone["ring"] >= 2 and gone["outbox"] >= 2 and gone["clips"] == 1
    assert not Path(ticked["path"]).exists() and Path(kept["path"]).exists()
    assert [clip["clip_id"] for clip in receipt["overlapping_clips"]] == [kept["clip_id"]]
    assert counts(receipt["remaining"]) == {"clips": 1}
    forgot_ns = (receipt["start_ns"], receipt["end_ns"])

    # What is cut after it neither holds nor jumps it; the chunks that were being made are not kept either.
    status = engine.wait_for(
        "chunks after it",
        lambda status: status.now_ns > forgot_ns[1] + 6 * SECOND_NS and status.uplink.chunks_waiting > 2,
    )
    exit_code, clip = engine.ask("clip", "--last", "60")
    assert exit_code == 0 and clip["start_ns"] >= forgot_ns[1] - 2 * SECOND_NS
    asked_ns = (receipt["end_ns"] - 2 * SECOND_NS, receipt["end_ns"] - SECOND_NS)
    assert not [span for span in outbox_spans(engine) if span[0] < asked_ns[1] and span[1] > asked_ns[0]]
    assert any("forgotten" in gap for gap in status["uplink"]["gaps"])


@pytest.mark.slow
def test_what_lies_before_is_named_by_times_before_now(engine: ToldEngine):
    time_s = engine.ask("status")[1]["now_ns"] / SECOND_NS

    exit_code, receipt = engine.ask("forget", "--from", "-3", "--to", "-1.5", "--yes")

    assert exit_code == 0
    assert time_s - 6 < receipt["start_ns"] / SECOND_NS < time_s + 3
    assert receipt["end_ns"] - receipt["start_ns"] < 8 * SECOND_NS
    # nothing is left in the journal
    data = Path(engine.environment["CLIPPY_AGENT_DATA"])
    assert not (data / "forgetting.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("words", [["--last", "5", "--from", "3"], [], ["--from", "99999"]])
def test_what_is_no_span_is_refused(engine: ToldEngine, words: list[str]):
    exit_code, code, _ = refusal(
        "-m", "agent", "forget", *words, "--yes", "--json", environment=engine.environment
    )

    assert (exit_code, code) == (2, "input_unusable")
