"""`fimble eval` with a server that answers from a script."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from fimble.measure.driver import SERVE
from fimble.measure.eval import ask
from fimble.measure.eval.programs import ProgramRow
from fimble.measure.eval.reviewing import Told, review_rows
from fimble.measure.eval.rows import Judge, Row

pytestmark = pytest.mark.protocol


@pytest.fixture
def scripted(tmp_path, monkeypatch):
    """Make the servers that are started answer from a script."""
    file = tmp_path / "script.json"
    doubts = {"-": "+"}
    file.write_text(
        json.dumps({"answers": {"return ": "a + b\n", "a ": "+ b\n"}, "doubts": doubts})
    )
    monkeypatch.setattr(ask, "SERVE", (*SERVE, "--scripted", str(file)))


def row(name, files=()):
    before = "def add(a, b):\n    return "
    return Row(name, "group", "src/a.py", before, "\n", "a + b", Judge.LINES, files=files)


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("files", [(), (("src/b.py", "x = 1\n"),)])
def test_rows_are_answered_by_a_server(scripted, warm, files):
    rows = [row("one", files), row("two", files)]
    done = []

    answers, status = asyncio.run(ask.answer_rows(rows, ask.Way({}, warm=warm), done.append))

    assert [answer.edit.apply(rows[0].text) for answer in answers] == [rows[0].whole] * 2
    assert [answer.reason for answer in answers] == ["shown"] * 2
    assert status["state"] == "ready"
    assert done == [0, 1, 2]


@pytest.fixture
def telling(monkeypatch):
    """Make the servers say what of other files they were shown."""
    scenario = Path(__file__).with_name("scenario.py")
    monkeypatch.setattr(ask, "SERVE", (sys.executable, str(scenario), "telling"))


SHAPES = 'def circle_area(radius):\n    """Area of a circle."""\n    return 3.14 * radius**2\n'


def asking(name, files=()):
    return Row(name, "group", f"{name}.py", "radius = 2\narea = ", "", "", Judge.LINES, files=files)


def told(*rows):
    answers, _ = asyncio.run(ask.answer_rows(rows, ask.Way({}, warm=True), lambda _: None))
    return [answer.edit.text for answer in answers]


def test_no_row_knows_the_text_of_another(telling):
    knowing = Row("shapes", "group", "shapes.py", SHAPES, "", "", Judge.LINES)
    assert told(knowing, asking("main"), asking("shapes"))[1:] == ["nothing"] * 2


def test_only_the_files_of_a_row_are_its_project(telling):
    rows = (asking("one", (("shapes.py", SHAPES),)), asking("two"))
    assert told(*rows) == ["circle_area", "nothing"]


def test_programs_are_reviewed_by_a_server(scripted):
    right = "def add(a, b):\n    return a + b\n"
    row = ProgramRow("one", "group", "add.py", "add", right.replace("+", "-"), right, (1,))

    [found], _ = asyncio.run(review_rows([row], {}, lambda _done: None))

    said = "`-` is unexpected here. Fimble would write: return a + b"
    assert found.hints == (Told(1, 13, said, "+ b"),)
    assert found.alarms == ()
    assert found.mended
