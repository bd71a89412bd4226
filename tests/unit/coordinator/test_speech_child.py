"""The speech process: batches, deadlines, crashes, and who dies with whom."""

from __future__ import annotations

import asyncio
import os
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coordinator.errors import AudioUnusable, Bug, JobFailed, ModelUnavailable
from coordinator.model.speech import Pcm16k, Transcript
from coordinator.speech.child import SpeechProcess
from coordinator.speech.choose import SpeechSpec
from coordinator.speech.resolve import ModelPlaces
from coordinator.speech.wire import PREFIX, lengths, request_of, windows_of
from tests.fakes.toy_whisper import build_toy_whisper, say

# Windows that tell the engine below what to do, by their first sample.
CRASH, STALL, REFUSE, WRONG = 0.5, 0.25, 0.125, 0.0625

# One word a window: its length, and how many windows came with it.
ENGINE = """
import os, sys, time
from pathlib import Path
from coordinator.errors import AudioUnusable, ModelUnavailable
from coordinator.model.speech import Transcript, Word
from coordinator.speech.worker import main

HERE = Path(__file__).parent

class Engine:
    engine, model = "pocketsphinx", "counting"

    def transcribe(self, windows):
        print("a library that prints")
        orders = [float(window.samples[0]) if window.samples.size else 0.0 for window in windows]
        if 0.5 in orders:
            os._exit(7)
        if 0.25 in orders:
            (HERE / "stalled").write_text(str(os.getpid()))
            while not (HERE / "go").exists():
                time.sleep(0.01)
        if 0.125 in orders:
            raise AudioUnusable("as ordered")
        if 0.0625 in orders:
            raise ZeroDivisionError("as ordered")
        return [
            Transcript(
                words=(Word(text=f"{window.samples.size}/{len(windows)}", start_s=0.0, end_s=0.1),),
                language="en", engine="pocketsphinx", model="counting",
            )
            for window in windows
        ]

def opener(spec):
    (HERE / "starts").open("a").write("x")
    if (HERE / "no-model").exists():
        raise ModelUnavailable("no model here; fetch one")
    if (HERE / "slow").exists():
        time.sleep(60)
    return Engine(), "asked for"

sys.exit(main(opener))
"""


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Callable[..., SpeechProcess]]:
    (tmp_path / "engine.py").write_text(ENGINE)
    processes: list[SpeechProcess] = []

    def open_process(**options: Any) -> SpeechProcess:
        options = {"restart_delay_s": 0.01, **options}
        processes.append(
            SpeechProcess(SpeechSpec(), command=(sys.executable, str(tmp_path / "engine.py")), **options)
        )
        return processes[-1]

    yield open_process
    for process in processes:
        await process.aclose()


def _window(num_samples: int, order: float = 0.0) -> Pcm16k:
    samples = np.zeros(num_samples, dtype=np.float32)
    samples[:1] = order
    return Pcm16k(samples=samples)


def _texts(transcripts: list[Transcript]) -> list[str]:
    return [transcript.words[0].text for transcript in transcripts]


def _lengths(transcripts: list[Transcript]) -> list[int]:
    return [int(text.partition("/")[0]) for text in _texts(transcripts)]


async def _until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        await asyncio.sleep(0.01)


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z"


async def test_it_is_ready_once_the_model_is_loaded(opened: Callable[..., SpeechProcess]) -> None:
    process = opened()
    before = process.is_ready

    await process.start()

    assert (before, process.is_ready) == (False, True)
    assert (process.engine, process.model, process.reason) == ("pocketsphinx", "counting", "asked for")


async def test_transcripts_come_in_the_order_of_their_windows(opened: Callable[..., SpeechProcess]) -> None:
    process = opened(max_batch=4)
    await process.start()

    transcripts = await process.transcribe([_window(length) for length in range(1, 11)])

    assert _texts(transcripts) == [f"{length}/{4 if length < 9 else 2}" for length in range(1, 11)]


async def test_waiting_callers_share_a_batch_and_keep_their_own(
    opened: Callable[..., SpeechProcess], tmp_path: Path
) -> None:
    process = opened(max_batch=8)
    await process.start()
    first = asyncio.create_task(process.transcribe([_window(100, STALL)]))
    await _until((tmp_path / "stalled").exists)
    others = [asyncio.create_task(process.transcribe([_window(n), _window(n + 50)])) for n in (1, 2, 3)]
    await asyncio.sleep(0)

    (tmp_path / "go").touch()

    assert _texts(await first) == ["100/1"]
    assert [_texts(await each) for each in others] == [[f"{n}/6", f"{n + 50}/6"] for n in (1, 2, 3)]


async def test_samples_arrive_as_they_were_sent() -> None:
    windows = [_window(0), Pcm16k(samples=say("triple kill"), language="de"), _window(3, 0.7)]

    header, samples = request_of(windows)
    arrived = windows_of(header, b"".join(each.tobytes() for each in samples))

    assert [each.language for each in arrived] == [None, "de", None]
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(arrived, windows, strict=True))


async def test_an_empty_call_gives_nothing(opened: Callable[..., SpeechProcess]) -> None:
    process = opened()
    await process.start()

    assert await process.transcribe([]) == []


async def test_a_missing_model_crosses_the_pipe(opened: Callable[..., SpeechProcess], tmp_path: Path) -> None:
    (tmp_path / "no-model").touch()
    process = opened()

    with pytest.raises(ModelUnavailable, match="fetch one"):
        await process.start()

    assert not process.is_ready


async def test_a_model_that_came_later_is_found(opened: Callable[..., SpeechProcess], tmp_path: Path) -> None:
    (tmp_path / "no-model").touch()
    process = opened()
    with pytest.raises(ModelUnavailable):
        await process.start()

    (tmp_path / "no-model").unlink()

    assert _lengths(await process.transcribe([_window(5)])) == [5]


@pytest.mark.logs("speech_process_died")
async def test_a_crash_fails_its_call_and_the_next_one_works(opened: Callable[..., SpeechProcess]) -> None:
    process = opened()
    await process.start()

    with pytest.raises(JobFailed, match="status 7") as caught:
        await process.transcribe([_window(9, CRASH)])

    assert caught.value.retryable
    assert _lengths(await process.transcribe([_window(5)])) == [5]


@pytest.mark.parametrize(
    ("order", "error"), [(CRASH, JobFailed), (REFUSE, AudioUnusable), (WRONG, JobFailed)]
)
@pytest.mark.logs("speech_process_died")
async def test_one_bad_window_fails_only_its_own_caller(
    opened: Callable[..., SpeechProcess], tmp_path: Path, order: float, error: type[Exception]
) -> None:
    process = opened()
    await process.start()
    first = asyncio.create_task(process.transcribe([_window(100, STALL)]))
    await _until((tmp_path / "stalled").exists)
    good = [asyncio.create_task(process.transcribe([_window(n)])) for n in (1, 2)]
    bad = asyncio.create_task(process.transcribe([_window(3, order)]))
    await asyncio.sleep(0)

    (tmp_path / "go").touch()
    await first

    with pytest.raises(error):
        await bad
    assert [_lengths(await each) for each in good] == [[1], [2]]


@pytest.mark.logs("speech_process_killed")
async def test_a_deadline_kills_the_process_and_the_next_call_works(
    opened: Callable[..., SpeechProcess], tmp_path: Path
) -> None:
    process = opened()
    await process.start()

    with pytest.raises(JobFailed, match=r"within 0\.5 s") as caught:
        await process.transcribe([_window(9, STALL)], timeout_s=0.5)

    pid = int((tmp_path / "stalled").read_text())
    assert caught.value.retryable
    assert _lengths(await process.transcribe([_window(5)])) == [5]
    assert _is_gone(pid)


@pytest.mark.logs("speech_process_killed")
async def test_a_cancelled_call_kills_the_process(
    opened: Callable[..., SpeechProcess], tmp_path: Path
) -> None:
    process = opened()
    await process.start()
    call = asyncio.create_task(process.transcribe([_window(9, STALL)]))
    await _until((tmp_path / "stalled").exists)

    call.cancel()

    await _until(lambda: _is_gone(int((tmp_path / "stalled").read_text())))


async def test_a_cancelled_call_leaves_a_batch_that_others_wait_for(
    opened: Callable[..., SpeechProcess], tmp_path: Path
) -> None:
    process = opened()
    await process.start()
    first = asyncio.create_task(process.transcribe([_window(1, STALL)]))
    await _until((tmp_path / "stalled").exists)
    (tmp_path / "stalled").unlink()
    leaver, stayer = (asyncio.create_task(process.transcribe([_window(n, STALL)])) for n in (2, 3))
    await asyncio.sleep(0)
    (tmp_path / "go").touch()
    await first

    leaver.cancel()

    assert _lengths(await stayer) == [3]
    assert (tmp_path / "starts").read_text() == "x"


async def test_a_model_that_never_loads_is_given_up(
    opened: Callable[..., SpeechProcess], tmp_path: Path
) -> None:
    (tmp_path / "slow").touch()
    process = opened(start_timeout_s=0.5)

    with pytest.raises(JobFailed, match="did not get ready") as caught:
        await process.start()

    assert caught.value.retryable


async def test_a_command_that_is_not_there_is_an_error_not_a_hang() -> None:
    process = SpeechProcess(SpeechSpec(), command=("/nonexistent/python",), restart_delay_s=0.01)

    with pytest.raises(JobFailed, match="did not get ready"):
        await process.start()

    await process.aclose()


async def test_more_than_may_wait_is_refused(opened: Callable[..., SpeechProcess], tmp_path: Path) -> None:
    process = opened(max_batch=1, max_waiting_windows=2)
    await process.start()
    calls = [asyncio.create_task(process.transcribe([_window(1, STALL)]))]
    await _until((tmp_path / "stalled").exists)
    calls += [asyncio.create_task(process.transcribe([_window(n)])) for n in (2, 3)]
    await asyncio.sleep(0)

    with pytest.raises(JobFailed, match="2 windows wait already") as caught:
        await process.transcribe([_window(4)])

    (tmp_path / "go").touch()
    assert caught.value.retryable
    assert [_lengths(await call) for call in calls] == [[1], [2], [3]]


async def test_a_bad_window_is_refused_before_it_is_sent(opened: Callable[..., SpeechProcess]) -> None:
    process = opened()
    await process.start()

    with pytest.raises(AudioUnusable):
        await process.transcribe([Pcm16k(samples=np.full(10, np.inf, dtype=np.float32))])


async def test_closing_fails_those_who_wait_and_twice_is_once(
    opened: Callable[..., SpeechProcess], tmp_path: Path
) -> None:
    process = opened()
    await process.start()
    call = asyncio.create_task(process.transcribe([_window(9, STALL)]))
    await _until((tmp_path / "stalled").exists)

    await process.aclose()
    await process.aclose()

    with pytest.raises(JobFailed, match="closed"):
        await call
    with pytest.raises(JobFailed, match="closed"):
        await process.transcribe([_window(1)])
    assert _is_gone(int((tmp_path / "stalled").read_text()))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_the_process_does_not_outlive_a_killed_owner(tmp_path: Path) -> None:
    (tmp_path / "engine.py").write_text(ENGINE)
    owner = textwrap.dedent(f"""
        import asyncio, sys
        import numpy as np
        from coordinator.model.speech import Pcm16k
        from coordinator.speech.child import SpeechProcess
        from coordinator.speech.choose import SpeechSpec

        async def main():
            process = SpeechProcess(SpeechSpec(), command=(sys.executable, {str(tmp_path / "engine.py")!r}))
            await process.start()
            await process.transcribe([Pcm16k(samples=np.full(3, {STALL}, dtype=np.float32))])

        asyncio.run(main())
    """)
    running = await asyncio.create_subprocess_exec(sys.executable, "-c", owner)
    try:
        await _until((tmp_path / "stalled").exists)
        await _until(lambda: (tmp_path / "stalled").read_text() != "")
    finally:
        running.kill()
        await running.wait()

    await _until(lambda: _is_gone(int((tmp_path / "stalled").read_text())))


async def test_the_shipped_worker_runs_the_engine_it_is_told(tmp_path: Path) -> None:
    folder = build_toy_whisper(tmp_path / "toy")
    spec = SpeechSpec(engine="faster-whisper", device="cpu", places=ModelPlaces(env_folder=folder))
    process = SpeechProcess(spec)
    windows = [Pcm16k(samples=say(text), language="en") for text in ("triple kill", "we won the game")]

    try:
        await process.start()
        together = await process.transcribe(windows)
        apart = [(await process.transcribe([window]))[0] for window in windows]
    finally:
        await process.aclose()

    assert together == apart
    assert {each.engine for each in together} == {"faster-whisper"}


async def test_the_shipped_worker_tells_of_a_missing_model(tmp_path: Path) -> None:
    spec = SpeechSpec(engine="faster-whisper", places=ModelPlaces(model_dirs=(tmp_path,)))
    process = SpeechProcess(spec)

    with pytest.raises(ModelUnavailable, match="models fetch"):
        await process.start()

    await process.aclose()


def test_a_prefix_that_is_none_of_ours_is_noticed() -> None:
    with pytest.raises(Bug):
        lengths(PREFIX.pack(2**31, 0))
