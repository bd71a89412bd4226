"""The sounds of a press on a real sound server, and on a machine that has none.

Each plays in a process of its own: PortAudio looks at the machine's devices once, when it is loaded.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SCRIPT = """\
import sys, time
from agent.log import configure_log
from agent.trigger.chime import Chime
configure_log()
chime = Chime()
chime.start()
for _ in range(int(sys.argv[1])):
    chime.play(sys.argv[2])
    time.sleep(float(sys.argv[3]))
chime.stop()
print("stopped")
"""


def play(
    environment: dict[str, str], num: int, sound: str = "saved", pause_s: float = 0.1
) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, str(num), sound, str(pause_s)],
        env=os.environ | environment,
        cwd=root,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


@pytest.mark.desktop
@pytest.mark.parametrize(("sound", "hz", "length_s"), [("heard", 1400, 0.03), ("saved", 1320, 0.2)])
def test_each_sound_is_heard_at_the_default_output(desktop: Any, sound: str, hz: int, length_s: float):
    heard = bytearray()
    with subprocess.Popen(
        ["parec", "--raw", "--rate=48000", "--channels=1", "--format=s16le", "-d", desktop.desktop_source],
        env=os.environ | desktop.environment,
        stdout=subprocess.PIPE,
    ) as recorder:

        def record() -> None:
            with contextlib.suppress(ValueError, OSError):
                while part := os.read(recorder.stdout.fileno(), 65_536):
                    heard.extend(part)

        reader = threading.Thread(target=record)
        reader.start()
        play(desktop.environment, 2, sound, 1.2)  # the first takes half a second to come
        recorder.terminate()
        reader.join(timeout=10)

    samples = np.frombuffer(bytes(heard[: len(heard) // 2 * 2]), "<i2").astype(np.float64)
    loud = samples[np.abs(samples) > 500]
    strongest_hz = np.abs(np.fft.rfft(samples)).argmax() * 48_000 / len(samples)
    # Both times, and to its end; at its zero crossings a tone is quiet.
    assert len(loud) > 2 * length_s * 48_000 * 0.8, "silence, or cut short"
    assert strongest_hz == pytest.approx(hz, abs=30)  # of the longest of its tones


def test_a_machine_without_an_output_says_so_once_and_goes_on(tmp_path: Path):
    nowhere = {"PULSE_SERVER": f"unix:{tmp_path / 'none'}", "PULSE_RUNTIME_PATH": str(tmp_path)}

    done = play(nowhere, 3)

    assert done.stdout.splitlines() == ["stopped"]
    assert done.stderr.count("chime_unavailable") == 1
