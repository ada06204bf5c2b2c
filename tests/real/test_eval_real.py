"""Floors under the quality of suggestions and actions: small samples, through the whole server.

They are far below what was measured: they catch what is broken, not what got a little worse.
"""

import asyncio
from pathlib import Path

import pytest

from fimble.measure.eval.acting import TaskPlan, measure_tasks
from fimble.measure.eval.figures import ALL, FIMBLE
from fimble.measure.eval.reviewing import measure_reviews
from fimble.measure.eval.rows import Cursor, Suite
from fimble.measure.eval.run import Plan, measure

pytestmark = pytest.mark.real

DATA = Path(__file__).parents[3] / "shared" / "data"
ROWS = 12


@pytest.fixture(autouse=True)
def data():
    if not DATA.is_dir():
        pytest.skip("no benchmark data beside the checkout, in ../shared/data")


def measured(model_path, suite, **choices):
    """Measure a few rows, and check what must hold for every one of them."""
    plan = Plan(suite, DATA, ROWS, model=str(model_path), **choices)
    report = asyncio.run(measure(plan))
    found = report["groups"].get(ALL) or next(iter(report["groups"].values()))
    assert found[FIMBLE]["rows"] == len(report["each"]) == ROWS
    assert found[FIMBLE]["leaked"] == 0
    assert found[FIMBLE]["repeats"] == 0
    closed = found[FIMBLE]["parses_no_worse_closed"]
    assert closed["hits"] == closed["count"], [
        row["id"] for row in report["each"] if row[FIMBLE]["score"]["worse_closed"]
    ]
    return found[FIMBLE]


def test_lines_with_the_cursor_inside_a_word(model_path):
    found = measured(model_path, Suite.INFILLING, cursor=Cursor.WORD, only=["single-line"])
    assert found["exact"]["hits"] >= 6  # measured: 8, of 9 shown, all of them right
    assert found["shown"]["hits"] >= 7
    assert found["right_of_shown"]["share"] > 0.75


def test_whole_lines_of_several_languages(model_path):
    lines = ["line js", "line java", "line go", "line rust"]
    found = measured(model_path, Suite.INFILLING, only=lines)
    assert found["exact"]["hits"] >= 1
    assert found["shown"]["hits"] >= 2


def acted(model_path, suite, group, rows):
    """Carry out a few actions, and check what must hold for every one of them."""
    plan = TaskPlan(suite, DATA, rows, only=[group], model=str(model_path), plain=False)
    found = asyncio.run(measure_tasks(plan))["groups"][group][FIMBLE]
    for name in ("parses_no_worse", "inside"):
        assert found[name]["hits"] == found[name]["count"]
    return found


def test_functions_that_are_written(model_path):
    assert acted(model_path, Suite.IMPLEMENT, "human-eval", 3)["right"]["hits"] >= 1


def test_diagnostics_that_are_mended(model_path):
    found = acted(model_path, Suite.FIX, "pyflakes", 8)
    assert found["done"]["hits"] >= 4
    assert found["right_of_done"]["share"] > 0.6


def test_mistakes_that_a_review_finds(model_path):
    plan = TaskPlan(Suite.REVIEW, DATA, 3, only=["quixbugs"], model=str(model_path))
    found = asyncio.run(measure_reviews(plan))["groups"]["quixbugs"][FIMBLE]
    assert found["among"]["hits"] >= 2
    assert found["hints_correct"] <= 2
