"""Everything the agent raises on purpose, in one tree.

AgentError
├── EnvironmentProblem            the machine or its user can mend it; shown as a message, exit code 3
│   ├── ScreenUnavailable         no screen source opens
│   ├── SoundUnavailable          no sound device opens
│   ├── EncoderUnavailable        the encoder cannot be opened here
│   ├── DiskFull                  too little room to write safely
│   ├── HotkeyTaken               another program holds the key
│   ├── PortBusy                  an address we must listen on is in use
│   ├── AlreadyRunning            another engine owns this data directory
│   ├── SecretsUnavailable        no keyring, or one that is locked
│   ├── CoordinatorUntrusted      nobody has said yet that this coordinator is the right one, or it is another
│   └── EngineNotRunning          the control socket does not answer
├── InputUnusable                 a file or value the user gave cannot be used; exit code 2 or 1
├── NothingToClip                 the ring holds no packet of the span that was asked for
├── ChatUnavailable               a chat cannot be read now; tried again by itself
├── LinkProblem                   the coordinator does not answer or refused; retried with jitter
├── PairingRefused                the code is wrong, used or too old
└── Bug                           an invariant of ours does not hold; goes to the log with a traceback

Every error carries `code` (stable, machine-readable), `retryable` (does trying again later make sense)
and a message that says what failed, with which value, and what to do next.
"""

from __future__ import annotations


class AgentError(Exception):
    """Base of every error the agent raises on purpose."""

    code = "agent_error"
    retryable = False
    exit_code = 1


class EnvironmentProblem(AgentError):
    """Something on this machine is missing or in the way, and its user can mend it."""

    code = "environment_problem"
    exit_code = 3


class ScreenUnavailable(EnvironmentProblem):
    """No screen source can be opened on this machine."""

    code = "screen_unavailable"


class SoundUnavailable(EnvironmentProblem):
    """No sound device can be opened on this machine."""

    code = "sound_unavailable"


class EncoderUnavailable(EnvironmentProblem):
    """The chosen encoder cannot be opened on this machine."""

    code = "encoder_unavailable"


class DiskFull(EnvironmentProblem):
    """There is too little room on the disk to write safely."""

    code = "disk_full"
    retryable = True


class HotkeyTaken(EnvironmentProblem):
    """Another program has grabbed the key."""

    code = "hotkey_taken"


class PortBusy(EnvironmentProblem):
    """An address we must listen on is already in use."""

    code = "port_busy"


class AlreadyRunning(EnvironmentProblem):
    """Another engine owns this data directory."""

    code = "already_running"


class EngineNotRunning(EnvironmentProblem):
    """The control socket does not answer."""

    code = "engine_not_running"
    retryable = True


class SecretsUnavailable(EnvironmentProblem):
    """The place where secrets are kept does not answer or refuses."""

    code = "secrets_unavailable"
    retryable = True


class CoordinatorUntrusted(EnvironmentProblem):
    """Nobody has said that this coordinator is the right one, or it is not."""

    code = "coordinator_untrusted"


class InputUnusable(AgentError):
    """A file or value that the user gave cannot be used."""

    code = "input_unusable"


class NothingToClip(AgentError):
    """The ring holds no packet of the span that was asked for."""

    code = "nothing_to_clip"


class LinkProblem(AgentError):
    """The coordinator does not answer, or refused."""

    code = "link_problem"
    retryable = True
    exit_code = 75


class ChatUnavailable(AgentError):
    """A chat cannot be read now. `retry_s`: not before so many seconds; 0: soon."""

    code = "chat_unavailable"
    retryable = True

    def __init__(self, message: str, *, retry_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_s = retry_s


class PairingRefused(AgentError):
    """The coordinator does not take this code."""

    code = "pairing_refused"


class Bug(AgentError):
    """An invariant of ours does not hold."""

    code = "bug"
