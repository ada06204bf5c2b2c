"""`fimble eval implement`, `fix` and `review`: reading rows, judging what actions did."""

import asyncio
import gzip
import json

import pytest

from fimble.errors import FimbleError
from fimble.measure.eval import act
from fimble.measure.eval.act import Deed
from fimble.measure.eval.execute import Runner
from fimble.measure.eval.lint import linted
from fimble.measure.eval.plain import code_of
from fimble.measure.eval.programs import load_programs
from fimble.measure.eval.reviewing import Reviewed, Told, review_comparison, review_figures
from fimble.measure.eval.rows import Suite
from fimble.measure.eval.tasks import load_tasks
from fimble.measure.eval.verdict import JudgedDeed, Verdict, deed_comparison, deed_figures, judge
from fimble.source.languages import Languages

LANGUAGES = Languages.load()
RUNNER = Runner(shut_in=False)
PROMPT = 'def double(a):\n    """Twice as much.\n\n    >>> double(2)\n    4\n    """\n'
DATA = {
    "human-eval/HumanEval": {
        "task_id": "HumanEval/0",
        "prompt": PROMPT,
        "entry_point": "double",
        "test": "def check(candidate):\n    assert candidate(2) == 4\n",
    },
    "mbpp/mbpp_test": {
        "task_id": 1,
        "prompt": "Write a function that doubles a number.",
        "test": ["assert double(2) == 4"],
    },
    "humanevalpack/js": {
        "task_id": "JavaScript/0",
        "prompt": "/* double(2)\n */\nconst double = (a) => {\n",
        "entry_point": "double",
        "test": "console.assert(double(2) === 4)",
    },
    "humanevalpack/python": {
        "task_id": "Python/0",
        "prompt": PROMPT,
        "buggy_solution": "    return a + 1\n",
        "canonical_solution": "    return a * 2\n",
        "entry_point": "double",
        "test": "assert double(2) == 4",
    },
    "quixbugs/python": {
        "name": "half",
        "buggy": '\ndef half(a):\n    return a // 3\n\n\n"""\nHalf as much.\n"""\n',
        "correct": 'def half(a):\n    return a // 2\n\n\n"""\nOr: return a / 2\n"""\n',
        "json_cases": [[[4], 2], [["x" * 99], 1]],
        "pytest": "",
        "node_module": "class Node: pass\n",
    },
    "ruff-fixtures/python": {
        "linter": "pyflakes",
        "file": "F841.py",
        "source": "import os\n\n\ndef f():\n    x = os\n",
    },
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A row of each benchmark, made up."""
    folder = tmp_path_factory.mktemp("data")
    for name, row in DATA.items():
        file = folder / f"{name}.jsonl.gz"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(gzip.compress(json.dumps(row).encode()))
    return folder


@pytest.fixture(scope="module")
def rows(data):
    return {
        row.group: row
        for suite in (Suite.IMPLEMENT, Suite.FIX)
        for row in load_tasks(suite, data, 0)
    }


def test_the_rows_of_all_groups(rows):
    assert set(rows) == {
        *("human-eval", "mbpp", "human-eval js"),
        *("quixbugs", "human-eval-fix", "pyflakes"),
    }


def test_a_docstring_is_to_be_carried_out(rows):
    row = rows["human-eval"]
    assert row.text == PROMPT
    assert row.text[row.start :].startswith("def double")
    assert "assert double(2) == 4" in row.program.test


def test_a_comment_names_the_tests(rows):
    told = "# Write a function that doubles a number.\n# It must pass:\n# assert double(2) == 4\n"
    assert rows["mbpp"].text == told


def test_an_open_brace_is_closed(rows):
    row = rows["human-eval js"]
    assert row.text.endswith("=> {\n}\n")
    assert row.text[row.start :].startswith("double = (a)")


def test_a_function_is_wrong_as_a_whole(rows):
    row = rows["quixbugs"]
    assert row.text[row.start : row.end] == "def half(a):\n    return a // 3"
    assert "half(4)" in row.program.test
    assert "xxx" not in row.program.test


def test_ruff_says_what_is_wrong(rows):
    row = rows["pyflakes"]
    assert row.about.code == "F841"
    assert row.text[row.start : row.end] == "x"
    assert row.files == (("ruff.toml", '[lint]\nselect = ["F"]\n'),)


def test_missing_data_is_said(tmp_path):
    with pytest.raises(FimbleError, match="no rows"):
        load_tasks(Suite.FIX, tmp_path, 0)


async def verdict_of(row, old, new):
    at = row.text.index(old)
    text = row.text.replace(old, new, 1)
    return await judge(row, Deed(text, ((at, at + len(old), new),)), LANGUAGES, RUNNER)


async def test_the_tests_decide(rows):
    row = rows["quixbugs"]
    good = await verdict_of(row, "a // 3", "a // 2")
    assert (good.done, good.right, good.worse, good.outside) == (True, True, False, False)
    poor = await verdict_of(row, "a // 3", "a / (")
    assert (poor.right, poor.worse) == (False, True)
    assert (await verdict_of(row, "Half as", "So")).outside
    assert not (await judge(row, Deed(None), LANGUAGES, RUNNER)).done


async def test_what_a_comment_describes_belongs_below_it(rows):
    row = rows["mbpp"]
    last = row.text.splitlines()[-1]
    good = await verdict_of(row, last, f"{last}\ndef double(a):\n    return 2 * a")
    assert (good.right, good.outside) == (True, False)


@pytest.mark.parametrize(
    ("new", "right"), [("return os", True), ("x = 1", False), ("return oz", False), ("(", False)]
)
async def test_a_diagnostic_must_go_without_another_coming(rows, new, right):
    found = await verdict_of(rows["pyflakes"], "x = os", new)
    assert found.right is right


def test_what_ruff_says_is_placed_in_code_points():
    (found,) = linted({"a.py": 'x = "🙂"; y = z\n'}, "F")["a.py"]
    assert (found.code, found.start, found.end) == ("F821", 13, 14)


def test_what_many_deeds_come_to(rows):
    row = rows["quixbugs"]

    def judged(deed, **verdict):
        return JudgedDeed(row, deed, Verdict(**verdict))

    good = judged(Deed("x", verified=True, ms=10.0, first_ms=1.0), done=True, right=True)
    none = judged(Deed(None, said="No fix.", ms=30.0))

    found = deed_figures([good, none])

    assert found["right"]["share"] == pytest.approx(0.5)
    assert found["right_of_done"]["share"] == pytest.approx(1)
    assert (found["ms_p50"], found["first_ms_p95"]) == (20.0, 1.0)
    assert (found["verified"], found["verified_wrong"]) == (1, 0)
    assert found["reasons"] == {"No fix.": 1}
    assert deed_comparison([good, none], [none, none])["right"]["only_first"] == 1
    json.dumps(found)


class Silent:
    """An editor whose server lists an action and never carries it out."""

    def __init__(self, row):
        self.cancelled, self.messages, self.progress = [], [], []
        self.kind = row.kind

    async def code_actions(self, *_place, **_context):
        return [{"kind": self.kind}]

    def ask(self, _method, _params):
        return 7, asyncio.get_running_loop().create_future()

    def cancel(self, request):
        self.cancelled.append(request)

    async def until(self, _condition):
        await asyncio.sleep(60)


async def test_what_takes_too_long_is_a_failure_and_the_other_rows_stay(rows, monkeypatch):
    monkeypatch.setattr(act, "RESOLVE_SECONDS", 0.01)
    row = rows["human-eval"]
    editor = Silent(row)

    deed = await act.carried_out(editor, row, "file:///a.py")

    assert (deed.text, deed.said, editor.cancelled) == (None, act.LATE, [7])
    figures = deed_figures([JudgedDeed(row, deed, await judge(row, deed, LANGUAGES, RUNNER))])
    assert (figures["rows"], figures["right"]["share"]) == (1, 0)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("Here:\n```python\nx = 1\n```\nDone.", "x = 1\n"),
        ("```\nx = 1", "x = 1\n"),
        ("x = 1\n\n", "x = 1\n"),
        ("``` \n", ""),
    ],
)
def test_the_first_code_block_is_the_answer(answer, code):
    assert code_of(answer, "y\n") == code


@pytest.mark.parametrize(
    ("old", "answer", "code"),
    [
        (
            "#include <string>\nusing namespace std;\nint f() {\n}\n",
            "using namespace std;\nint f() {\n  return 1;\n}\nint main() {\n  f();\n}\n",
            "#include <string>\nusing namespace std;\nint f() {\n  return 1;\n}\n",
        ),
        (
            "fn main() {}\nuse a::B;\nfn f() {\n}\n",
            "fn f() {\n    1\n}\n\nfn main() {\n    f();\n}",
            "fn main() {}\nuse a::B;\nfn f() {\n    1\n}\n",
        ),
        ("fn main(){}\nfn f() {\n}\n", "fn main() {}\nfn f() {\n    1\n}", None),
    ],
)
def test_what_a_program_needs_beside_the_answer_stays(old, answer, code):
    assert code_of(answer, old) == (code or f"{answer}\n")


@pytest.fixture(scope="module")
def programs(data):
    return {row.group: row for row in load_programs(data, 0)}


def test_a_program_has_a_version_without_its_mistake(programs):
    row = programs["quixbugs"]
    assert row.wrong == (2,)
    assert row.correct == 'def half(a):\n    return a // 2\n\n\n"""\nHalf as much.\n"""\n'
    assert (row.place(row.buggy), row.place(row.correct)) == (1, 0)
    assert programs["human-eval-fix"].wrong == (6,)


def test_programs_must_be_there(tmp_path):
    with pytest.raises(FimbleError, match="no programs"):
        load_programs(tmp_path, 0)


def test_what_many_reviews_come_to(programs):
    row = programs["quixbugs"]
    here, there = Told(2, 16, "", "2"), Told(1, 0, "", "x")
    first = Reviewed(row, (here, there), (), (10.0, 10.0))
    second = Reviewed(row, (there, Told(2, 16, "", "4")), (there,), (30.0, 30.0))

    found = review_figures([first, second])

    assert (found["first"]["hits"], found["among"]["hits"], found["mended"]["hits"]) == (1, 2, 1)
    assert (found["alarmed"]["hits"], found["hints_wrong"], found["hints_correct"]) == (1, 2, 0.5)
    assert found["ms_p50"] == pytest.approx(20)
    assert review_comparison([first], [second])["first"]["only_first"] == 1
    json.dumps(found)
