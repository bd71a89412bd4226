"""The short code that a person carries from the coordinator to the agent, or the other way. Pure, but for randomness.

8 characters of 31 are 39.6 bits: enough for ten minutes and a bounded number of tries, too few for a plain hash, so
what is kept of a code is an HMAC.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

# No 0 and O, no 1, I and L: they look alike, also when read aloud from a screen.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
NUM_CHARACTERS = 8


def new_code() -> str:
    """A code as a person sees it: XXXX-XXXX."""
    letters = "".join(secrets.choice(ALPHABET) for _ in range(NUM_CHARACTERS))
    return f"{letters[:4]}-{letters[4:]}"


def normal_code(text: str) -> str:
    """The code alone, whatever case, dashes and blanks it was typed with; empty for what cannot be one."""
    letters = "".join(text[:64].upper().replace("-", "").split())
    is_code = len(letters) == NUM_CHARACTERS and set(letters) <= set(ALPHABET)
    return letters if is_code else ""


def hash_of_code(key: bytes, text: str) -> bytes:
    """What is kept of a code: HMAC-SHA256 of its normal form. `key` is derived from the installation's secret."""
    return hmac.digest(key, normal_code(text).encode(), hashlib.sha256)
