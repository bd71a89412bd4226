"""What is asked for, in PostgreSQL's language. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from protos.words import Term


def tsquery(terms: Sequence[Term], account_no: int, *, is_any: bool = False, is_exact: bool = False) -> str:
    """The terms in PostgreSQL's language, over lexemes that begin with their account.

    Args:
        is_any: one of them is enough.
        is_exact: whole words only.
    """
    joined = []
    for term in terms:
        lexemes = [f"'{lexeme(word, account_no)}'" for word in term.words]
        if term.is_open and not is_exact:
            lexemes[-1] += ":*"
        joined.append(f"({' <-> '.join(lexemes)})")
    return (" | " if is_any else " & ").join(joined)


def lexeme(word: str, account_no: int) -> str:
    """A word of an account: no other account's has the same beginning."""
    return f"{account_no:x}_{word}"
