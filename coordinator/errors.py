"""Everything the coordinator raises on purpose, in one tree.

CoordinatorError
├── EnvironmentProblem            the machine or its operator can mend it; shown as a message, exit code 3
│   ├── DatabaseUnavailable       PostgreSQL does not start or answer
│   ├── StoreUnavailable          the object store does not answer
│   ├── ModelUnavailable          no speech model here; pauses the queue, burns no attempt
│   ├── SpeechBusy                a speech service has no room now, and says for how long; burns no attempt
│   ├── PortBusy                  an address we must listen on is in use
│   ├── DiskFull                  too little room to write safely
│   └── AlreadyRunning            another supervisor owns this data directory
├── InputUnusable                 what came from outside cannot be used; a retry will not help
│   ├── MediaUnusable             a file cannot be probed, decoded or cut
│   │   ├── MediaTooCostly        reading it would take more CPU or memory than a file may
│   │   └── UploadDamaged         its bytes are not those that were sent; sent again they may be
│   ├── AudioUnusable             a window of audio cannot be decoded
│   ├── ChatUnusable              a chunk of chat or of game events cannot be read
│   ├── ChunkRefused              a chunk breaks the protocol, or its key is taken by other bytes
│   ├── DeviceRefused             a device that is unknown, revoked, or of a closed account
│   ├── SourceExpired             an upload that came after its request had expired
│   └── AgentTaken                an agent that belongs to another account
├── MediaInterrupted              the process that worked on a file was killed from outside
│   └── MediaStalled              it stood still, or had too little of the machine to get done
├── JobFailed                     a stage gave up, with its stage and reason
├── BytesAway                     a chunk's bytes cannot be read now; its node comes back, or its agent sends them again
│   ├── ObjectsAway               objects cannot be deleted now: the store is down; what waits for that waits alone
│   └── WordsLate                 words of a clip are not heard yet; its posts wait for them, for a while
├── NotFound                      the row or object that was asked for is not there
├── PairingPending                nobody has approved this agent yet
├── TooManyTries                  codes were tried, or agents asked, more often than is allowed
├── WaitTimeout                   a job did not end while it was waited for; it goes on
├── PausedByAnother               a queue's pause belongs to another owner
└── Bug                           an invariant of ours does not hold

Every error carries `code` (stable, machine-readable), `retryable` (does trying again later make sense)
and a message that says what failed, with which value, and what to do next.
"""

from __future__ import annotations


class CoordinatorError(Exception):
    """Base of every error the coordinator raises on purpose."""

    code = "coordinator_error"
    retryable = False
    exit_code = 1


class EnvironmentProblem(CoordinatorError):
    """Something on this machine is missing or in the way, and its operator can mend it."""

    code = "environment_problem"
    exit_code = 3


class DatabaseUnavailable(EnvironmentProblem):
    """PostgreSQL does not start or does not answer."""

    code = "database_unavailable"
    retryable = True


class StoreUnavailable(EnvironmentProblem):
    """The object store does not answer."""

    code = "store_unavailable"
    retryable = True


class ModelUnavailable(EnvironmentProblem):
    """No speech model on this machine; the message says how to get one. Pauses the queue."""

    code = "model_unavailable"


class SpeechBusy(EnvironmentProblem):
    """A speech service has no room for us now. `retry_after_s`: when to ask again; the queue rests as long."""

    code = "speech_busy"
    retryable = True

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class LlmUnavailable(EnvironmentProblem):
    """No language model answers now, and the caller insisted on one. `retry_after_s`: when to ask again."""

    code = "llm_unavailable"
    retryable = True

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class PortBusy(EnvironmentProblem):
    """An address we must listen on is already in use."""

    code = "port_busy"


class DiskFull(EnvironmentProblem):
    """There is too little room on the disk to write safely."""

    code = "disk_full"
    retryable = True


class AlreadyRunning(EnvironmentProblem):
    """Another supervisor owns this data directory."""

    code = "already_running"


class InputUnusable(CoordinatorError):
    """What came from outside cannot be used; a retry will not help."""

    code = "input_unusable"


class MediaUnusable(InputUnusable):
    """A media file cannot be probed, decoded or cut."""

    code = "media_unusable"


class MediaTooCostly(MediaUnusable):
    """Reading or rendering a media file would take more CPU or memory than one file may."""

    code = "media_too_costly"


class UploadDamaged(MediaUnusable):
    """The bytes of an upload are not those that the agent has; it may send them again."""

    code = "upload_damaged"


class AudioUnusable(InputUnusable):
    """A window of audio cannot be decoded; a retry will not help."""

    code = "audio_unusable"


class ChatUnusable(InputUnusable):
    """A chunk of chat or of game events cannot be read; a retry will not help."""

    code = "chat_unusable"


class ChunkRefused(InputUnusable):
    """A chunk breaks the protocol, or its key is already taken by other bytes."""

    code = "chunk_refused"


class DeviceRefused(InputUnusable):
    """A device that is unknown, revoked, or of a closed account; it has to be paired again."""

    code = "device_refused"


class SourceExpired(InputUnusable):
    """A source came after its request had expired: nobody waits for it, and it becomes no clip."""

    code = "source_expired"


class AgentTaken(InputUnusable):
    """An agent that already belongs to another account."""

    code = "agent_taken"


class MediaInterrupted(CoordinatorError):
    """The process that worked on a media file was killed from outside; the file may be sound."""

    code = "media_interrupted"
    retryable = True


class MediaStalled(MediaInterrupted):
    """The process that worked on a file stood still, or came to no end on a busy machine; the file may be sound."""

    code = "media_stalled"


class JobFailed(CoordinatorError):
    """A stage gave up."""

    code = "job_failed"

    def __init__(self, stage: str, reason: str, *, retryable: bool = False) -> None:
        super().__init__(f"{stage}: {reason}")
        self.stage = stage
        self.reason = reason
        self.retryable = retryable


class BytesAway(CoordinatorError):
    """A chunk's bytes cannot be read now: their node is gone or silent. It comes back, or the agent sends them again.

    Puts the job off for a while; others of its queue go on.
    """

    code = "bytes_away"
    retryable = True


class ObjectsAway(BytesAway):
    """Objects of one order cannot be deleted now: the store does not answer. The order is put off, nothing else."""

    code = "objects_away"


class WordsLate(BytesAway):
    """Words of a clip are not heard yet, and its captions would lack them. `retry_after_s`: when to look again."""

    code = "words_late"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NotFound(CoordinatorError):
    """The row or object that was asked for is not there."""

    code = "not_found"


class PairingPending(CoordinatorError):
    """Nobody has approved this agent yet."""

    code = "pairing_pending"
    retryable = True


class TooManyTries(CoordinatorError):
    """Codes were tried, or agents asked, more often than is allowed."""

    code = "too_many_tries"
    retryable = True


class WaitTimeout(CoordinatorError):
    """A job did not end while it was waited for. It goes on, and may be waited for again."""

    code = "wait_timeout"
    retryable = True


class PausedByAnother(CoordinatorError):
    """A queue's pause belongs to another owner, who alone lifts it."""

    code = "paused_by_another"


class Bug(CoordinatorError):
    """An invariant of ours does not hold."""

    code = "bug"
