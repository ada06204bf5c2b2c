"""What a cell knows of the cells above it, and what of that the model is shown."""

from dataclasses import replace

import pytest

from fimble.engine.messages import FimOrder
from fimble.prompt.fim import Sentinel, assemble
from fimble.prompt.layout import Budget, lay_out
from fimble.session import LEAD_CHARS, Session
from fimble.source.languages import Languages
from fimble.source.text import Snapshot
from goldens import LANGUAGES

NOTEBOOK = "file:///prices.ipynb"
BUDGET = Budget(prefix=400, suffix=100)
LEAD = "".join(f"name_{number} = {number}\n" for number in range(100))


@pytest.fixture(scope="module")
def languages():
    return Languages.load()


@pytest.fixture
def session(languages) -> Session[str]:
    return Session(languages)


def lead_of(session, uri):
    return session.document(uri).snapshot.lead


def opened(session, **texts):
    for uri, text in texts.items():
        session.open(uri, 1, "markdown" if uri.startswith("m") else "python", text)
    session.arrange(NOTEBOOK, texts)


def test_a_cell_knows_the_cells_above_it_in_its_language(session):
    opened(session, a="x = 1", m="# Prices", b="y = 2", c="z = 3")
    assert lead_of(session, "a") == lead_of(session, "m") == ""
    assert lead_of(session, "b") == "x = 1\n\n"
    assert lead_of(session, "c") == "x = 1\n\ny = 2\n\n"


def test_it_hears_of_every_change_above(session):
    opened(session, a="x = 1", b="y = 2")
    session.change(session.document("a").snapshot.splice(4, 5, "8", 2))
    assert lead_of(session, "b") == "x = 8\n\n"
    session.arrange(NOTEBOOK, ["b", "a"])
    assert (lead_of(session, "b"), lead_of(session, "a")) == ("", "y = 2\n\n")


def test_it_knows_no_more_than_a_prompt_takes(session):
    opened(session, a="x" * 2 * LEAD_CHARS, b="")
    assert len(lead_of(session, "b")) == LEAD_CHARS


def test_a_notebook_that_is_closed_has_no_cells(session):
    opened(session, a="x = 1", b="y = 2")
    assert session.is_cell("b")
    assert session.cells(NOTEBOOK) == ("a", "b")
    session.arrange(NOTEBOOK, ())
    assert not session.is_cell("b")
    assert session.cells(NOTEBOOK) == ()


def laid_out(text, lead=LEAD, previous=None):
    uri = "vscode-notebook-cell:/shop/prices.ipynb#W1"
    snapshot = Snapshot.open(uri, 1, LANGUAGES.get("python"), text)
    return lay_out(replace(snapshot, lead=lead), len(text), BUDGET, previous)


def test_whole_lines_above_the_cell_are_shown_before_it():
    layout = laid_out("total = ")
    assert LEAD.endswith(f"\n{layout.lead}")
    assert BUDGET.prefix // 2 < len(layout.lead) <= BUDGET.prefix * 3 // 4
    parts = assemble(layout, FimOrder.PREFIX_FIRST, {Sentinel.MIDDLE})
    assert parts == (
        Sentinel.PREFIX,
        layout.lead,
        Sentinel.SUFFIX,
        Sentinel.MIDDLE,
        "total = ",
    )


def test_the_model_is_told_the_language_by_the_name():
    assert laid_out("").path == "prices.py"


def test_what_was_read_stays_while_one_types():
    first = layout = laid_out("")
    text = ""
    for number in range(8):
        text += f"a{number} = {number}\n"
        layout = laid_out(text, previous=layout)
    assert layout.lead == first.lead


def test_another_text_above_is_read_anew():
    first = laid_out("total = ")
    second = laid_out("total = ", "price = 1\n\n", first)
    assert second.lead == "price = 1\n\n"


def test_a_long_cell_leaves_no_room_for_others():
    layout = laid_out("x = 1\n" * 200)
    assert layout.start > 0
    assert layout.lead == ""


def test_it_shrinks_in_steps_while_the_cell_grows():
    layout = laid_out("")
    leads = [layout.lead]
    text = ""
    for number in range(100):
        text += f"a{number} = {number}\n"
        layout = laid_out(text, previous=layout)
        assert len(layout.lead) + len(layout.prefix) <= BUDGET.prefix
        leads.append(layout.lead)
    assert len(set(leads)) <= 6
