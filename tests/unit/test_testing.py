"""Tests that are written: where they go, which of them count, and what is added to a file.

In the cases the source is followed by the other files of the workspace, each after its path; the
model goes on after the beginning that it is given, and the file that comes of it is shown.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from fimble.check import sandbox
from fimble.engine.scripted import Script, ScriptedEngine
from fimble.features import actions, tests
from fimble.features.offer import Look, Task
from fimble.settings import DEFAULTS
from fimble.source.edits import applied
from fimble.source.text import Snapshot
from goldens import CURSOR, LANGUAGES, load

CHAT = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</{{ m.role }}>{% endfor %}<a>"


def engine(*answers):
    script = Script(default=answers[0], others={answers[0]: answers[1:]}, chat_template=CHAT)
    made = ScriptedEngine(script)
    made.start()
    return made


def look(root, name, source, *, talks=True):
    """A workspace with the files in ``source``, seen from the mark in the first."""
    marked, *others = re.split(r"^@@ (.+)\n", source, flags=re.MULTILINE)
    for path, text in [
        (name, marked.replace(CURSOR, "")),
        *zip(others[::2], others[1::2], strict=True),
    ]:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.removesuffix("\n") + "\n", encoding="utf-8")
    at, text = marked.index(CURSOR), (root / name).read_text(encoding="utf-8")
    uri = (root / name).as_uri()
    language = LANGUAGES.for_document("", uri)
    snapshot = Snapshot.open(uri, 1, language, text).parse(LANGUAGES.grammar(language))
    return Look(snapshot, at, at, LANGUAGES, DEFAULTS, talks=talks)


def offered(seen):
    return actions.offers(seen, [tests.KIND])


async def make(root, seen, made, **more):
    [offer] = offered(seen)
    task = Task(seen.snapshot, offer, LANGUAGES, DEFAULTS, made, root=root, **more)
    return await actions.make(task)


def shown(root, seen, outcome):
    """The file with the tests, after its path."""
    if outcome.other is None:
        changed = applied(seen.snapshot.text, outcome.edits)
        return changed if outcome.edits else f"[{outcome.message}]"
    other = outcome.other
    path = Path(other.snapshot.uri.removeprefix("file://")).relative_to(root)
    mark = "new" if other.is_new else "edited"
    return f"({mark}) {path}\n{applied(other.snapshot.text, other.edits)}"


@pytest.mark.parametrize("case", load("testing"), ids=lambda case: case.id)
async def test_cases(case, request, tmp_path):
    seen = look(tmp_path, case.head.split(" | ")[1], case.source)
    outcome = await make(tmp_path, seen, engine(case.model))
    got = shown(tmp_path, seen, outcome).removesuffix("\n")
    case.expect(got, request.config.getoption("--update"))


ADD = "def add(a, b):█\n    return a + b\n"


@pytest.mark.parametrize(
    ("name", "marked"),
    [
        ("a.py", "def add(a, b):\n    █pass\n"),
        ("a.py", "x = 1█\n"),
        ("test_a.py", ADD),
        ("a.py", "def test_add():█\n    assert 1\n"),
        ("a.js", "function add(a, b) {█\n  return a + b;\n}\n"),
        ("a.ts", "export default function add(a, b) {█\n  return a + b;\n}\n"),
        ("A.java", "class A {\n    private int add() {█\n        return 1;\n    }\n}\n"),
        ("a.kt", "private fun add() {█\n    f()\n}\n"),
        ("a.php", "<?php\nfunction f() {█\n    return 1;\n}\n"),
    ],
)
def test_it_is_not_offered_where_no_test_could_be(tmp_path, name, marked):
    assert offered(look(tmp_path, name, marked)) == []


def test_a_base_model_is_not_asked(tmp_path):
    assert offered(look(tmp_path, "a.py", ADD, talks=False)) == []


def test_what_is_tested_can_be_called(tmp_path):
    inner = look(tmp_path, "a.py", "def f():\n    def g():█\n        return 1\n    return g\n")
    special = look(tmp_path, "b.py", "class A:\n    def __init__(self):█\n        self.x = 1\n")
    titles = [offered(seen)[0].title for seen in (inner, special)]
    assert titles == ["Write tests for f", "Write tests for A"]


async def test_a_file_that_has_no_module_name_is_refused(tmp_path):
    outcome = await make(tmp_path, look(tmp_path, "a-b.py", ADD), engine(""))
    assert outcome.message == tests.UNREACHABLE


async def test_the_order_shows_the_class_around_a_method(tmp_path):
    made = engine("x")
    marked = "class A:\n    size = 3\n\n    def f(self):█\n        return self.size\n"
    await make(tmp_path, look(tmp_path, "a.py", marked), made)

    order, begin = (part for part in made.prompts[0].parts if isinstance(part, str))
    assert "size = 3" in order
    assert "with pytest" in order
    assert begin == "```python\nfrom a import A\n\n\ndef test_f_"


async def test_an_open_file_counts_as_it_is(tmp_path):
    source = f"{ADD}@@ tests/test_a.py\nx = 1"
    seen = look(tmp_path, "a.py", source)
    path = (tmp_path / "tests" / "test_a.py").as_posix()
    text = "from a import add\n\n\ndef test_add_zero():\n    assert add(0, 0) == 0\n"
    there = Snapshot.open(Path(path).as_uri(), 7, seen.snapshot.language, text)
    made = engine(
        "zero():\n    assert add(0, 0) == 0\n\n\ndef test_one():\n    assert add(0, 1)\n```"
    )
    outcome = await make(tmp_path, seen, made, opened={path: there})

    assert outcome.other.snapshot.version == 7
    [edit] = outcome.other.edits
    assert edit.text == "\n\n\ndef test_one():\n    assert add(0, 1)"


async def may_run():
    return True


SOME = "right():\n    assert add(1, 2) == 3\n\n\ndef test_wrong():\n    assert add(1, 1) == 3\n```"
WRONG = "wrong():\n    assert add(1, 1) == 3\n```"
PYTEST = """\
raises():
    with pytest.raises(TypeError, match="operand"):
        add(1, "")


@pytest.mark.parametrize("a, expected", [(1, 2), (2, 3)])
def test_one_more(a, expected):
    assert add(a, 1) == expected


@pytest.mark.parametrize("a", [1, 5])
def test_not_always(a):
    assert add(a, 1) == 2


def test_about():
    assert add(0.1, 0.2) == pytest.approx(0.3)
```"""


@pytest.fixture
async def needs_a_sandbox():
    if not await sandbox.available():
        pytest.skip("code cannot be run apart from everything else here")


async def run(root, *answers, source=ADD):
    seen = look(root, "a.py", source)
    outcome = await make(root, seen, engine(*answers), may_run=may_run)
    names = re.findall(r"def (test_\w+)", outcome.other.edits[-1].text) if outcome.other else []
    return outcome, names


@pytest.mark.usefixtures("needs_a_sandbox")
async def test_tests_that_fail_are_left_out(tmp_path):
    outcome, names = await run(tmp_path, SOME)
    assert names == ["test_add_right"]
    assert outcome.verified
    assert outcome.message == "1 of the tests failed and was left out."


@pytest.mark.usefixtures("needs_a_sandbox")
async def test_another_answer_is_tried_if_all_fail(tmp_path):
    _, names = await run(tmp_path, WRONG, SOME)
    assert names == ["test_add_right"]


@pytest.mark.usefixtures("needs_a_sandbox")
async def test_if_all_fail_none_is_kept(tmp_path):
    outcome, names = await run(tmp_path, WRONG)
    assert names == []
    assert outcome.message == tests.FAILING


@pytest.mark.usefixtures("needs_a_sandbox")
async def test_what_tests_use_of_pytest_works(tmp_path):
    outcome, names = await run(tmp_path, PYTEST)
    assert names == ["test_add_raises", "test_one_more", "test_about"]
    assert outcome.other.edits[0].text.startswith("import pytest\n\nfrom a import add\n\n\n")


@pytest.mark.usefixtures("needs_a_sandbox")
async def test_unittest_is_run_too(tmp_path):
    source = f"{ADD}@@ tests/test_b.py\nimport unittest\n"
    answer = """\
right(self):
        self.assertEqual(add(1, 2), 3)

    def test_wrong(self):
        self.assertEqual(add(1, 2), 4)
```"""
    _, names = await run(tmp_path, answer, source=source)
    assert names == ["test_add_right"]


@pytest.mark.usefixtures("needs_a_sandbox")
async def test_where_nobody_can_tell_they_are_not_verified(tmp_path):
    outcome, names = await run(tmp_path, SOME, source=f"import shop.cart\n\n\n{ADD}")
    assert names == ["test_add_right", "test_wrong"]
    assert not outcome.verified


def test_without_pytest_its_stand_in_does_the_same(tmp_path):
    program, tried = tmp_path / "run_tests.py", tmp_path / "tried.py"
    program.write_text(LANGUAGES.program(LANGUAGES.get("python"), "tests").read_text())
    tried.write_text(
        "import pytest\n\n\ndef add(a, b):\n    return a + b\n\n\n"
        f"def test_{PYTEST.removesuffix('```')}\n\n"
        "def test_nothing_raised():\n    with pytest.raises(ValueError):\n        add(1, 2)\n\n\n"
        "class TestAdd:\n    def test_inside(self):\n        assert add(1, 1) == 3\n"
    )
    command = (sys.executable, "-I", "-S", program, tried)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    names = re.findall(r"fimble: failed (\w+)", done.stdout)
    assert names == ["test_not_always", "test_nothing_raised", "test_inside"]
