"""What to do about a job that failed, by the code of what ended it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

_RETRY = "`clippy-coordinator jobs retry` gives it all its attempts again"

REMEDIES: Mapping[str, str] = {
    "coordinator_error": f"look at the log of its stage; {_RETRY}",
    "environment_problem": f"mend what the reason names on that machine, then {_RETRY}",
    "database_unavailable": f"see that PostgreSQL runs and has room; then {_RETRY}",
    "store_unavailable": f"see that the object store answers and takes our credentials; then {_RETRY}",
    "model_unavailable": "run `clippy-coordinator models fetch`, or set asr.model; the queue goes on by itself",
    "speech_busy": "nothing to do: it is asked again when it said; a larger quota, or another asr.engine, ends it",
    "llm_unavailable": "see `llm` in the configuration: its providers, keys and quotas; the queue goes on by itself",
    "port_busy": "end the program that has the port, or set another one",
    "disk_full": f"make room on that machine's disk; then {_RETRY}",
    "already_running": "end the other supervisor of this data directory",
    "input_unusable": "nothing to do here: what came in cannot be used, and another try would fail too",
    "media_unusable": "nothing to do here: the file cannot be decoded; ask for its source anew, or record it again",
    "media_too_costly": "record or convert it smaller (1080p, H.264, 8 bit), or cut it into shorter parts",
    "media_interrupted": f"see whether that machine runs out of memory: something killed the decoder; then {_RETRY}",
    "media_stalled": f"see whether that machine is overloaded, or its disk answers; then {_RETRY}",
    "upload_damaged": "its agent is asked for the file again; see that its line and disk are sound",
    "audio_unusable": "nothing to do here: this piece of sound cannot be decoded; the rest of the session is heard",
    "chat_unusable": "nothing to do here: these seconds of chat or events cannot be read; the rest is",
    "chunk_refused": "update that agent: it sends what the protocol does not allow",
    "device_refused": "pair that device again with `clippy-coordinator pair`",
    "agent_taken": "pair that agent again, for the account that shall have it",
    "job_failed": f"the reason says what is wrong; when it is mended, {_RETRY}",
    "bytes_away": f"see that the node that holds the bytes runs, or that the agent is connected; then {_RETRY}",
    "objects_away": f"see that the object store answers and takes our credentials; it is tried every 15 s, or {_RETRY}",
    "words_late": "nothing to do: the post waits for its last words, and after half a minute is made without them",
    "source_expired": "nothing to do: the agent was told; keep it connected, or press sooner",
    "not_found": "nothing to do if it was forgotten or expired on purpose; else report it with the log of its stage",
    "pairing_pending": "approve the agent with `clippy-coordinator pair --approve`",
    "too_many_tries": "wait a few minutes",
    "wait_timeout": "wait for it again; `clippy-coordinator jobs show` says what it waits for",
    "paused_by_another": "ask the owner of the pause, or resume with --force",
    "timeout": f"see whether that machine is overloaded, or the stage hangs; then {_RETRY}",
    "poison": "it kills its worker: look for memory or a crash in the log of its stage before it is tried again",
    "stopping": "nothing to do: its worker was stopped, and another takes it",
    "suspect": "nothing to do yet: it runs alone now, so that what ran beside it does not share its fate",
    "bug": f"report it with the log of its stage; after an update {_RETRY}",
}


def remedy_of(code: str) -> str:
    """What a person can do, as the end of a sentence."""
    return REMEDIES.get(code, f"look at the log of its stage; {_RETRY}")
