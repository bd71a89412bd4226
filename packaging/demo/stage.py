"""Everything the demo starts: desktop, model, coordinator, engine, player. Stopped in reverse by the caller's stack.

What is started here is started as a user would: by the products' own commands, in processes of their own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from given import DemoFailed, check_video, make_folder, say
from language_model import LanguageModel

ROOT = Path(__file__).resolve().parents[2]
HOTKEY = "Ctrl+Shift+F10"
_READY_S = 90.0
_POLL_S = 0.25
_VOICE_SINK = "clippy_demo_voice"


def wait_until(is_true: Callable[[], bool], *, timeout_s: float, what: str) -> None:
    """Poll until it is; DemoFailed at the deadline."""
    deadline = time.monotonic() + timeout_s
    while not is_true():
        if time.monotonic() > deadline:
            raise DemoFailed(f"{what}: not within {timeout_s:.0f} s", retryable=True, exit_code=75)
        time.sleep(_POLL_S)


class Stage:
    """What runs, and where."""

    def __init__(
        self, arguments: argparse.Namespace, out: Path, missing: list[str], stack: contextlib.ExitStack
    ) -> None:
        self.arguments = arguments
        self.out = out
        self.missing = missing
        self.stack = stack
        self.environment = dict(os.environ)
        self.left_out: list[str] = []
        self.has_screen = True
        self.press_key: Callable[[], int] | None = None
        self.sinks = ("game", "voice")
        self.sources = ("voice.monitor", "game.monitor")
        self.page = ""
        self.engine_pid = 0
        self.model_reason = ""
        self.llm: LanguageModel | None = getattr(arguments, "llm", None)
        self.truth_file = out / "truth.json"
        self.player: subprocess.Popen[str] | None = None
        self.work = Path()

    def set_up(self) -> None:
        """Start everything but the player."""
        check_video(self.arguments.video)
        make_folder(self.out)
        # Not below the user's home: as root PostgreSQL runs as a user that cannot enter it.
        self.work = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="clippy-demo-")))
        self.work.chmod(0o711)
        self._open_desktop()
        self._fetch_model()
        if self.llm is not None:
            self.llm.check(self.command("coordinator", "llm", "check"), self.coordinator_environment())
        self._start_coordinator()
        self._start_engine()

    # ---- the desktop

    def _open_desktop(self) -> None:
        wanted = self.arguments.screen
        if wanted == "real" or (wanted == "auto" and os.environ.get("DISPLAY")):
            try:
                return self._use_real_desktop()
            except DemoFailed as exc:
                if wanted == "real":
                    raise
                self.left_out.append(f"your own screen ({exc}): a virtual one was recorded")
                say(f"screen: not yours ({exc})")
        if wanted == "none":
            return self._do_without_screen("asked for with --screen none")
        sys.path.insert(0, str(ROOT / "packaging"))
        from virtual_desktop import DesktopUnavailable, VirtualDesktop

        try:
            desktop = self.stack.enter_context(VirtualDesktop(size=(1280, 720)))
        except DesktopUnavailable as exc:
            if wanted == "virtual":
                raise DemoFailed(str(exc), code=exc.code, exit_code=exc.exit_code) from exc
            return self._do_without_screen(str(exc))
        say("screen: a virtual desktop of 1280x720 with two sound devices")
        self.environment |= desktop.environment
        self.sources = (desktop.microphone_source, desktop.desktop_source)
        self.press_key = lambda: desktop.press_key(HOTKEY.lower().replace("f10", "F10"))
        return None

    def _use_real_desktop(self) -> None:
        self._check_screen()
        say(
            "screen: yours; the window that opens is what is streamed, its commentary goes to a microphone of its own"
        )
        number = self._ask_desktop(
            ["pactl", "load-module", "module-null-sink", f"sink_name={_VOICE_SINK}", "norewinds=1"],
            "cannot make a demo microphone", code="sound_unavailable",
        )  # fmt: skip
        self.stack.callback(lambda: subprocess.run(["pactl", "unload-module", number], check=False))
        self.sinks = ("", _VOICE_SINK)
        self.sources = (f"{_VOICE_SINK}.monitor", "auto")
        self.press_key = self._press_with_xdotool

    def _check_screen(self) -> None:
        if not os.environ.get("DISPLAY"):
            raise DemoFailed(
                "no DISPLAY is set; leave --screen real out", exit_code=3, code="screen_unavailable"
            )
        self._ask_desktop(
            ["xdotool", "getdisplaygeometry"],
            f"cannot use the screen DISPLAY={os.environ['DISPLAY']}",
            code="screen_unavailable",
        )

    def _ask_desktop(self, command: list[str], failure: str, *, code: str) -> str:
        """Run one of the desktop's tools; DemoFailed with its own words when it fails."""
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        except (OSError, subprocess.TimeoutExpired) as exc:
            reason = f"{command[0]} does not answer" if isinstance(exc, subprocess.TimeoutExpired) else exc
        else:
            if done.returncode == 0:
                return done.stdout.strip()
            reason = " ".join(done.stderr.split()) or f"{command[0]} failed"
        raise DemoFailed(f"{failure}: {reason}; use --screen virtual", exit_code=3, code=code)

    def _press_with_xdotool(self) -> int:
        pressed_ns = time.monotonic_ns()
        subprocess.run(["xdotool", "key", HOTKEY.lower().replace("f10", "F10")], check=True, timeout=5)
        return pressed_ns

    def _do_without_screen(self, why: str) -> None:
        self.has_screen = False
        self.left_out.append(
            f"screen, microphone, hotkey and the match ({why}): a generated picture and sound were recorded, and the "
            "clip was saved by command"
        )
        if self.missing:
            self.left_out.append(f"to have them: sudo apt-get install -y {' '.join(self.missing)}")
        if self.arguments.video:
            raise DemoFailed(f"--video needs a screen: {why}", exit_code=3, code="screen_unavailable")

    # ---- the coordinator

    def _fetch_model(self) -> None:
        if self.arguments.offline:
            self.model_reason = "--offline: no model was fetched"
            return
        done = subprocess.run(
            self.command("coordinator", "models", "fetch", "--if-missing", "--json"),
            env=self.coordinator_environment(), stdout=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            with contextlib.suppress(json.JSONDecodeError, KeyError, IndexError):
                self.model_reason = json.loads(done.stdout.splitlines()[-1])["error"]["message"]
            say(
                f"speech model: none could be fetched ({self.model_reason}); the small offline engine listens instead"
            )

    def coordinator_environment(self) -> dict[str, str]:
        """The coordinator's settings."""
        models = Path(os.environ.get("CLIPPY_MODEL_DIR", ROOT / ".clippy" / "models"))
        settings = {
            "DATA": self.work / "coordinator",
            "LISTEN__GRPC": f"127.0.0.1:{self.grpc_port}",
            "LISTEN__WEB": f"127.0.0.1:{self.web_port}",
            "ASR__MODEL_DIR": models,
            # The demo is small and short: what died is taken over at once, and what is durable is stored soon.
            "WORKERS__LEASE_S": 5,
            "WORKERS__RECONCILE_S": 5,
            "ROLL_UP_S": 30,
        }
        if not self.arguments.video:
            settings["ASR__GRAMMAR_FILE"] = self.grammar_file
        if self.llm is not None:
            settings["CONFIG"] = self.llm.write_config(self.work)
        return self.environment | {
            f"CLIPPY_COORDINATOR_{name}": str(value) for name, value in settings.items()
        }

    @property
    def grammar_file(self) -> Path:
        """What a streamer of this match may say, a phrase a line: for the small engine, which cannot do without."""
        path = self.work / "phrases.txt"
        if not path.exists():
            from match import phrases

            path.write_text("\n".join(phrases()) + "\n", encoding="utf-8")
        return path

    def _start_coordinator(self) -> None:
        say("coordinator: starting (embedded PostgreSQL, link, six workers, page)")
        child = self.start("coordinator", self.command("coordinator", "all"), self.coordinator_environment())
        self.page = f"http://127.0.0.1:{self.web_port}/"

        def is_ready() -> bool:
            self.check_alive("coordinator", child)
            with contextlib.suppress(httpx.HTTPError):
                return httpx.get(f"{self.page}readyz", timeout=2).status_code == 200
            return False

        wait_until(
            is_ready,
            timeout_s=_READY_S,
            what=f"the coordinator did not get ready, see {self.log('coordinator')}",
        )

    # ---- the engine

    def engine_environment(self) -> dict[str, str]:
        """The engine's settings."""
        data = self.work / "coordinator"
        settings = {
            "DATA": self.work / "agent",
            "CLIPS__FOLDER": self.out / "clips",
            "TRIGGER__HOTKEY": HOTKEY,
            # Its sounds would be in the stream.
            "TRIGGER__ARE_SOUNDS_ON": "false",
            "UPLINK__ADDRESS": f"127.0.0.1:{self.grpc_port}",
            "UPLINK__CA_FILE": data / "tls" / "ca.pem",
            "UPLINK__TOKEN_FILE": data / "owner.token",
            "UPLINK__CHUNK_S": 6,
        }
        if self.has_screen:
            settings |= {"CAPTURE__MICROPHONE": self.sources[0], "CAPTURE__DESKTOP_SOUND": self.sources[1]}
        return self.environment | {f"CLIPPY_AGENT_{name}": str(value) for name, value in settings.items()}

    def _start_engine(self) -> None:
        generated = [] if self.has_screen else ["--generated"]
        child = self.start("engine", self.command("agent", "engine", *generated), self.engine_environment())

        def is_ready() -> bool:
            self.check_alive("engine", child)
            status = self.agent("status")
            if status is not None and status["state"] == "ready":
                self.engine_pid = status["pid"]
                say(
                    f"engine: ready, {status['width']}x{status['height']} by {status['screen_source']}, "
                    f"{status['video_encoder']}"
                )
                return True
            return False

        wait_until(is_ready, timeout_s=30, what=f"the engine did not get ready, see {self.log('engine')}")

    def agent(self, *verb: str) -> dict[str, Any] | None:
        """Ask the engine by its command line; None when it does not answer."""
        done = subprocess.run(
            self.command("agent", *verb, "--json"),
            env=self.engine_environment(), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            return None
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    # ---- the player

    def start_player(self) -> dict[str, Any]:
        """Start what is streamed; returns the player's `started` event."""
        what = (
            ["video", str(self.arguments.video)]
            if self.arguments.video
            else ["match", "--seconds", str(self.arguments.seconds), "--seed", str(self.arguments.seed),
                  "--truth", str(self.truth_file), "--cache", str(ROOT / ".clippy" / "speech")]
        )  # fmt: skip
        command = [
            sys.executable,
            str(ROOT / "packaging" / "demo" / "play.py"),
            *what,
            "--until-stdin-closes",
        ]
        command += ["--game-sink", self.sinks[0], "--voice-sink", self.sinks[1]]
        with self.log("player").open("w", encoding="utf-8") as errors:
            self.player = subprocess.Popen(
                command,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.stack.callback(stop, self.player)
        assert self.player.stdout is not None
        line = self.player.stdout.readline()
        if not line:
            code = self.player.wait(timeout=10)
            words = self.log("player").read_text(encoding="utf-8").strip().splitlines()
            raise DemoFailed(
                words[-1] if words else "the player did not start", code="input_unusable", exit_code=code or 1
            )
        event: dict[str, Any] = json.loads(line)
        return event

    # ---- processes

    def command(self, package: str, *arguments: str) -> list[str]:
        """One of our commands."""
        return [sys.executable, "-m", package, *arguments]

    def start(self, name: str, command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
        """Start a process that is stopped with the demo; its output goes to a log beside the results."""
        with self.log(name).open("ab") as out:
            child = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.stack.callback(stop, child)
        return child

    def log(self, name: str) -> Path:
        """Where a process's output goes."""
        return self.out / f"{name}.log"

    def check_alive(self, name: str, child: subprocess.Popen[bytes]) -> None:
        """DemoFailed when it has ended, with its last words."""
        code = child.poll()
        if code is not None:
            lines = self.log(name).read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise DemoFailed(
                f"the {name} ended with {code}: {lines[-1] if lines else 'no word'}",
                exit_code=code if code in (2, 3, 75) else 1,
                code=f"{name}_ended",
            )

    _ports: tuple[int, int] | None = None

    @property
    def grpc_port(self) -> int:
        """Free when we looked."""
        return self._free_ports()[0]

    @property
    def web_port(self) -> int:
        """Free when we looked."""
        return self._free_ports()[1]

    def _free_ports(self) -> tuple[int, int]:
        if self._ports is None:
            with socket.socket() as one, socket.socket() as other:
                try:
                    one.bind(("127.0.0.1", 0))
                    other.bind(("127.0.0.1", 0))
                except OSError as exc:
                    raise DemoFailed(no_free_port(exc), code="port_busy", exit_code=3) from exc
                self._ports = one.getsockname()[1], other.getsockname()[1]
        return self._ports

    def keep_page_open(self) -> None:
        """Serve until Ctrl+C."""
        say(f"\nThe page is open at {self.page} - press Ctrl+C to stop everything.")
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


def no_free_port(reason: OSError) -> str:
    """That the system has no port to give, from which range, and what to do."""
    kept = Path("/proc/sys/net/ipv4/ip_local_port_range")
    given = f" of {'-'.join(kept.read_text().split())}" if kept.exists() else ""
    return (
        f"no free port{given} on 127.0.0.1 ({reason}); end a program that holds many (`ss -tlnp` lists them), "
        "or widen net.ipv4.ip_local_port_range"
    )


def stop(child: subprocess.Popen[Any]) -> None:
    """End a process that we started: politely, then not."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(timeout=40)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(timeout=10)
