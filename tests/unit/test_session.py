"""The session hands out frozen snapshots and forgets nothing it should keep."""

from dataclasses import replace

import pytest

from fimble.errors import SettingsError
from fimble.session import KEPT_EXPLANATIONS, Explanation, Session
from fimble.settings import DEFAULTS
from fimble.source.languages import Languages

URI = "file:///a.py"


@pytest.fixture(scope="module")
def languages():
    return Languages.load()


@pytest.fixture
def session(languages) -> Session[str]:
    return Session(languages)


def explanation(reason):
    return Explanation(URI, (0, 0), reason, "", {}, total_ms=1.0, outside_ms=1.0)


def test_an_open_document_has_its_text_and_language(session):
    snapshot = session.open(URI, 1, "python", "x = 1\n")
    assert (snapshot.text, snapshot.version, snapshot.language.id) == ("x = 1\n", 1, "python")
    assert session.document(URI).snapshot is snapshot
    assert [document.snapshot for document in session] == [snapshot]


def test_a_snapshot_taken_before_a_change_stays_as_it_was(session):
    before = session.open(URI, 1, "python", "ab")
    session.change(before.splice(1, 1, "X", 2))
    assert before.text == "ab"
    assert session.document(URI).snapshot.text == "aXb"
    assert not session.is_current(before)


def test_a_document_opened_again_starts_afresh(session):
    old = session.open(URI, 1, "python", "a")
    session.remember(old, "memory")
    session.open(URI, 1, "python", "b")
    assert session.document(URI).memory is None
    assert not session.is_current(old)


def test_a_closed_document_is_forgotten(session):
    snapshot = session.open(URI, 1, "python", "a")
    assert session.close(URI)
    assert not session.close(URI)
    assert session.document(URI) is None
    assert not session.is_current(snapshot)
    session.remember(snapshot, "late")
    assert session.document(URI) is None


def test_a_tree_is_taken_only_for_the_text_it_was_made_from(session):
    old = session.open(URI, 1, "python", "a")
    parsed = replace(old, stale=None)
    assert session.parsed(parsed)
    session.change(parsed.splice(0, 0, "b", 2))
    assert not session.parsed(replace(parsed))
    assert session.document(URI).snapshot.text == "ba"


def test_memory_survives_changes(session):
    first = session.open(URI, 1, "python", "a")
    session.remember(first, "memory")
    session.change(first.splice(0, 0, "b", 2))
    assert session.document(URI).memory == "memory"


def test_memory_of_an_older_text_does_not_replace_newer_memory(session):
    first = session.open(URI, 1, "python", "a")
    second = first.splice(0, 0, "b", 2)
    session.change(second)
    session.remember(second, "new")
    session.remember(first, "old")
    assert session.document(URI).memory == "new"


def test_memory_of_an_older_text_is_better_than_none(session):
    first = session.open(URI, 1, "python", "a")
    session.change(first.splice(0, 0, "b", 2))
    session.remember(first, "old")
    assert session.document(URI).memory == "old"


def test_explanations_come_latest_first_and_are_bounded(session):
    for number in range(KEPT_EXPLANATIONS + 10):
        session.explain(explanation(str(number)))
    latest = session.explanations(2)
    assert [one.reason for one in latest] == [
        str(KEPT_EXPLANATIONS + 9),
        str(KEPT_EXPLANATIONS + 8),
    ]
    assert len(session.explanations(10_000)) == KEPT_EXPLANATIONS
    assert session.explanations(0) == session.explanations(-1) == ()


def test_settings_are_replaced_with_their_problems(session):
    assert session.settings is DEFAULTS
    problem = SettingsError("bad")
    session.configure(DEFAULTS, [problem])
    assert session.problems == (problem,)
