"""What is written anew must pass the tests and examples that passed before."""

import pytest

from fimble.check import sandbox
from fimble.engine.scripted import Script, ScriptedEngine
from fimble.features import actions, rewrite
from fimble.features.offer import Look, Task
from fimble.settings import read
from fimble.source.edits import applied
from fimble.source.text import Snapshot
from goldens import CURSOR, LANGUAGES

CHAT = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</{{ m.role }}>{% endfor %}<a>"
SETTINGS, _ = read({"actions": {"checkers": {"python": []}}})
SOURCE = '''\
def total(numbers):█
    """Add them up.{example}"""
    result = 0
    for number in numbers:
        result += number
    return result
'''
EXAMPLE = "\n\n    >>> total([1, 2])\n    3\n    "
BROKEN = "\n\n    >>> total([1, 2])\n    4\n    "
TESTS = """\
from sums import total


def test_total():
    assert total([1, 2]) == 3


def test_unfinished():
    assert total([]) == 1
"""
RIGHT, WRONG, ENDLESS = (
    "    return sum(numbers)\n",
    "    return max(numbers)\n",
    "    while 1: pass\n",
)


@pytest.fixture(autouse=True)
async def needs_a_sandbox():
    if not await sandbox.available():
        pytest.skip("code cannot be run apart from everything else here")


async def allowed():
    return True


async def simplified(folder, example, *bodies, tests=TESTS, may_run=allowed):
    """Simplify the function with these answers of the model; the new text and the outcome."""
    (folder / "test_sums.py").write_text(tests)
    source = SOURCE.format(example=example)
    at, text = source.index(CURSOR), source.replace(CURSOR, "")
    language = LANGUAGES.get("python")
    snapshot = Snapshot.open((folder / "sums.py").as_uri(), 1, language, text)
    snapshot = snapshot.parse(LANGUAGES.grammar(language))
    first, *others = (f"{body}```" for body in bodies)
    made = ScriptedEngine(Script(default=first, others={first: others}, chat_template=CHAT))
    made.start()
    look = Look(snapshot, at, at, LANGUAGES, SETTINGS)
    offer = next(one for one in actions.offers(look) if one.kind == rewrite.SIMPLIFY)
    task = Task(snapshot, offer, LANGUAGES, SETTINGS, made, may_run=may_run, root=folder)
    outcome = await actions.make(task)
    return applied(text, outcome.edits), outcome


@pytest.mark.parametrize("example", ["", EXAMPLE, BROKEN])
@pytest.mark.parametrize("wrong", [WRONG, ENDLESS])
async def test_what_fails_a_test_is_not_offered(tmp_path, example, wrong):
    text, outcome = await simplified(tmp_path, example, wrong, RIGHT)

    assert "sum(numbers)" in text
    assert outcome.verified


async def test_without_tests_the_examples_count(tmp_path):
    text, outcome = await simplified(tmp_path, EXAMPLE, WRONG, RIGHT, tests="")

    assert "sum(numbers)" in text
    assert outcome.verified


@pytest.mark.parametrize("tests", ["", f"import nowhere\n{TESTS}"])
async def test_what_cannot_be_run_proves_nothing(tmp_path, tests):
    text, outcome = await simplified(tmp_path, BROKEN, RIGHT, tests=tests)

    assert "sum(numbers)" in text
    assert not outcome.verified


async def test_nothing_is_run_that_may_not(tmp_path):
    async def refused():
        return False

    text, outcome = await simplified(tmp_path, EXAMPLE, WRONG, may_run=refused)

    assert "max(numbers)" in text
    assert not outcome.verified
