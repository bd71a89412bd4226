"""The engine's process.

Boots in this order: log, lock, sounds, sending (its outbox), recording, hotkeys, control API; then waits for SIGTERM,
SIGINT or `clippy stop`, and stops in reverse.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import structlog

from agent.config import Config, load_config
from agent.control.server import ControlServer, Desks
from agent.engine.desking import listen
from agent.engine.forget_orders import ForgetOrders
from agent.engine.forgetting_parts import SessionForgetter, finish_forgetting, make_forgetter
from agent.engine.lock import engine_locked
from agent.engine.pairing import Pairings
from agent.engine.recording import Recording
from agent.engine.sending import Sending
from agent.engine.serving import RunningEngine
from agent.engine.watching import Watching
from agent.library.library import Library
from agent.log import configure_log
from agent.paths import AgentPaths, make_private
from agent.trigger.chime import Chime

log = structlog.get_logger()


def run_engine(
    paths: AgentPaths, *, is_headless: bool, is_generated: bool, log_level: str, is_json_log: bool
) -> int:
    """Record until stopped; returns the exit code.

    Raises:
        EnvironmentProblem: No screen, no place to write, another engine: says what to do.
    """
    configure_log(level=log_level, is_json=is_json_log)
    config = load_config(paths.config_file)
    stop = threading.Event()
    with contextlib.ExitStack() as stack:
        make_private(paths.data)
        stack.enter_context(engine_locked(paths))
        stack.enter_context(_stopping_on_signals(stop))
        engine = _start(paths, config, stop, stack, is_headless=is_headless, is_generated=is_generated)
        log.info("engine_started", pid=os.getpid())
        while not stop.wait(1.0):
            pass
        log.info("engine_stopping")
        engine.note_change()
    return 0


def _start(
    paths: AgentPaths,
    config: Config,
    stop: threading.Event,
    stack: contextlib.ExitStack,
    *,
    is_headless: bool,
    is_generated: bool,
) -> RunningEngine:
    changed: list[RunningEngine] = []

    def on_change() -> None:
        for engine in changed:
            engine.note_change()

    libraries: list[Library] = []
    # Closed last: what the coordinator says while we stop is still kept.
    stack.callback(_close_all, libraries)
    chime = Chime(is_on=config.trigger.are_sounds_on and not is_headless)
    chime.start()
    # Stopped after the recording: the presses that it finishes are still heard.
    stack.callback(chime.stop)
    sending = Sending(paths, config, on_change=on_change)
    stack.callback(sending.stop)
    recording = Recording(
        paths,
        config,
        is_generated=is_generated,
        on_chunk=sending.take_chunk,
        on_saved=sending.take_press,
        on_changed=sending.take_change,
        on_taste=sending.take_taste,
        play_sound=chime.play,
        on_change=on_change,
    )
    libraries.append(recording.library)
    watching = Watching(recording, config, on_change=on_change, on_sound=lambda: chime.play("alarm"))
    forgetter = make_forgetter(paths, recording, sending, watching)
    # Before anything is sent or recorded.
    finish_forgetting(forgetter, recording)
    _follow_orders(ForgetOrders(forgetter, recording), sending, stack)
    sending.start(recording)
    engine = RunningEngine(paths, config, recording, sending, watching, stop)
    changed.append(engine)

    stack.callback(_finish, recording, sending)
    recording.start()
    engine.ticker.start()
    stack.callback(engine.ticker.stop)
    watching.start()
    stack.callback(watching.stop)
    if not is_generated:
        engine.hotkey = listen(config, recording.desk.presses, stack, warn=recording.warnings.append)
    desk = SessionForgetter(forgetter, recording, on_change)
    _serve(paths, engine, recording, desk, Pairings(paths, config, sending), stack)
    return engine


def _finish(recording: Recording, sending: Sending) -> None:
    duration_ns = recording.now_ns
    recording.stop()
    sending.finish_session(duration_ns)


def _follow_orders(orders: ForgetOrders, sending: Sending, stack: contextlib.ExitStack) -> None:
    sending.follow_orders(orders.submit)
    orders.start()
    stack.callback(orders.stop)


def _serve(
    paths: AgentPaths,
    engine: RunningEngine,
    recording: Recording,
    forgetter: SessionForgetter,
    pairing: Pairings,
    stack: contextlib.ExitStack,
) -> None:
    desks = Desks(
        sound=recording.sounds.desk,
        recovery=recording.recovering,
        forgetter=forgetter,
        pairing=pairing,
        taste=recording.tasting,
    )
    control = ControlServer(engine, recording.desk, paths.control_socket, desks=desks)
    control.start()
    stack.callback(control.stop)


@contextlib.contextmanager
def _stopping_on_signals(stop: threading.Event) -> Iterator[None]:
    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _close_all(libraries: list[Library]) -> None:
    for library in libraries:
        library.close()
