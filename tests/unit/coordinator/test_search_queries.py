"""What is asked for, in PostgreSQL's language."""

from __future__ import annotations

from coordinator.search.queries import tsquery
from protos.words import terms_of


def test_a_question_asks_its_own_account_alone():
    terms = terms_of('messi "a goal"')

    assert tsquery(terms, 26) == "('1a_messi':*) & ('1a_a' <-> '1a_goal')"
    assert tsquery(terms, 26, is_any=True, is_exact=True) == "('1a_messi') | ('1a_a' <-> '1a_goal')"
