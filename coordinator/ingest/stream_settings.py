"""What an operator, or a test, may want to change about one stream."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings:
    """Bounds of one stream.

    Attributes:
        max_in_flight: chunks between the reader and their acknowledgements.
        retry_delay_ms: after how long an agent is asked to come back, where nothing says better.
        flush_s: how long what is under way may take before a stream that is put off ends.
        refresh_retry_s: how long after a failed look for news the next one comes.
        max_invalid: messages that break a rule, then the stream is ended.
        full_gate_s: how often it is looked whether the account's gate has room again.
        tarry_s: how long a connect that is put off waits for its answer.
    """

    max_in_flight: int = 8
    retry_delay_ms: int = 3_000
    flush_s: float = 3.0
    refresh_retry_s: float = 2.0
    max_invalid: int = 1000
    full_gate_s: float = 0.25
    tarry_s: float = 3.0
