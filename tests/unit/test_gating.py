"""Fitting the confidence gate: on made-up suggestions whose chances are known."""

from random import Random

import numpy as np
import pytest

from fimble.engine.scripted import Script, ScriptedEngine
from fimble.features.gate import Doubt, Evidence
from fimble.measure.eval.execute import Runner
from fimble.measure.eval.gating import Asking, Sample, auc, fit, fitted
from fimble.measure.eval.rows import Judge, Row
from fimble.settings import DEFAULTS
from fimble.source.languages import Languages


def samples(count=3000):
    """Suggestions that are right as often as a logistic of what the gate looks at says."""
    chance = Random(1)
    for number in range(count):
        mid_line, meets, at_end = (chance.random() < 0.5 for _ in range(3))
        about = Doubt(-4 * chance.random(), 5 * chance.random(), Evidence(mid_line, meets, at_end))
        misses = mid_line and not meets
        logit = 0.5 + about.logprob + 0.4 * about.margin - 1.5 * misses + meets + 0.7 * at_end
        right = chance.random() < 1 / (1 + np.exp(-logit))
        shown = right if about.margin > 1 else None
        yield Sample(f"row/{number}", "group", "start", str(number), about, right, shown)


def test_the_constants_that_made_the_rows_are_found():
    report = fitted(list(samples()))
    assert report["constants"] == {
        "CONSTANT": pytest.approx(0.5, abs=0.3),
        "PER_LOGPROB": pytest.approx(1.0, abs=0.2),
        "PER_MARGIN": pytest.approx(0.4, abs=0.1),
        "MID_LINE": pytest.approx(-1.5, abs=0.3),
        "MEETS": pytest.approx(1.0, abs=0.3),
        "AT_END": pytest.approx(0.7, abs=0.3),
    }
    assert 0.75 < report["auc"] < 0.95
    rights = [level["right"] for level in report["shares"]]
    assert rights == sorted(rights)
    assert report["groups"]["group"] == report["shipped"]


def test_ties_count_half():
    assert auc(np.array([0.1, 0.5, 0.5, 0.9]), np.array([0.0, 0.0, 1.0, 1.0])) == 0.875


def test_a_fit_of_nothing_is_the_share():
    weights = fit(np.ones((10, 1)), np.array([1.0] * 7 + [0.0] * 3))
    assert 1 / (1 + np.exp(-weights[0])) == pytest.approx(0.7, abs=0.01)


@pytest.mark.parametrize(
    ("logprob", "written", "at_end", "right", "shipped"),
    [
        (-0.01, "n total", False, True, True),
        (-0.01, "n count", False, False, False),
        (-0.5, "n total", False, True, None),
        (-0.5, "n total", True, True, True),
    ],
)
async def test_one_answer_is_judged_with_the_gate_open_and_as_it_is(
    logprob, written, at_end, right, shipped
):
    engine = ScriptedEngine(Script(default=f"{written}\n", logprob=logprob))
    engine.start()
    asking = Asking(engine, DEFAULTS, Languages.load(), Runner(shut_in=False), at_end)
    before, after = "def add(items):\n    total = sum(items)\n    retur", "\n\nprint(add([]))\n"
    row = Row("row/1", "line python", "a.py", before, after, "n total", Judge.LINES)
    sample = await asking.sample("word", row)
    assert (sample.right, sample.shipped) == (right, shipped)
    assert len(engine.prompts) == 1
