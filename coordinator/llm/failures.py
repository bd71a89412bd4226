"""What can go wrong with one call to one provider; never leaves this folder.

CallFailed
├── RateLimited      429: it rests until it said, for the whole fleet; no failure of the breaker
├── Overloaded       498: it has no capacity; the next provider at once; no failure of the breaker
├── ProviderFailed   5xx, no connection, no answer in time: counts for the breaker
├── Refused          401, 403, 404: a key or a model that is wrong; rests, so that it is not asked all day
├── TooLong          the question and the answer do not fit: half of it may
└── BadAnswer        not the answer that was asked for: half of the question may bring one
"""

from __future__ import annotations


class CallFailed(Exception):
    """A call brought no answer. The message holds neither a key nor what was asked."""


class RateLimited(CallFailed):
    """The provider says that we ask too much."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Overloaded(CallFailed):
    """It has no capacity now."""


class ProviderFailed(CallFailed):
    """It failed, or cannot be reached. `is_quick`: it said so at once, so that another try costs no time."""

    def __init__(self, message: str, *, is_quick: bool) -> None:
        super().__init__(message)
        self.is_quick = is_quick


class Refused(CallFailed):
    """The key, the account or the model is not accepted."""


class TooLong(CallFailed):
    """More tokens than the model takes."""


class BadAnswer(CallFailed):
    """Broken, truncated, too large, or against the schema."""
