"""Floors under the quality of suggestions: small samples, through the whole server.

They are far below what was measured: they catch what is broken, not what got a little worse.
"""

import asyncio
from pathlib import Path

import pytest

from fimble.measure.eval.figures import ALL, FIMBLE
from fimble.measure.eval.rows import Cursor, Suite
from fimble.measure.eval.run import Plan, measure

pytestmark = pytest.mark.real

DATA = Path(__file__).parents[3] / "shared" / "data"
ROWS = 12


def measured(model_path, suite, **choices):
    """Measure a few rows, and check what must hold for every one of them."""
    if not DATA.is_dir():
        pytest.skip("no benchmark data beside the checkout, in ../shared/data")
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
    assert found["exact"]["hits"] >= 3
    assert found["shown"]["hits"] >= 6


def test_whole_lines_of_several_languages(model_path):
    lines = ["line js", "line java", "line go", "line rust"]
    found = measured(model_path, Suite.INFILLING, only=lines)
    assert found["exact"]["hits"] >= 1
    assert found["shown"]["hits"] >= 2
