"""Fix and implement: files of cases with a source, an answer of the model, and what comes of it.

The place of a case is its mark, or lies between its two marks. The third part of the head of a fix
is what a linter or compiler says there. No checker is run, so the same comes out everywhere.
"""

import re

import pytest

from fimble.engine.scripted import Script, ScriptedEngine
from fimble.features import actions, fix, implement
from fimble.features.offer import Diagnostic, Look, Task
from fimble.settings import read
from fimble.source.edits import applied
from goldens import CURSOR, LANGUAGES, load, snapshot_of

UNCHECKED, _ = read({"actions": {"checkers": {"python": []}}})


async def check(case, request, kind, message=""):
    """Choose the action of a kind at the case's place, and compare the file that comes of it."""
    snapshot, start = snapshot_of(case.head.split(" | ")[1], case.text)
    end = max(start, case.text.rindex(CURSOR) - case.text.count(CURSOR) + 1)
    told = (Diagnostic(start, end, message),) if message else ()
    look = Look(snapshot, start, end, LANGUAGES, UNCHECKED, told)
    [offer] = actions.offers(look, [kind])
    engine = ScriptedEngine(Script(default=case.model))
    engine.start()
    outcome = await actions.make(Task(snapshot, offer, LANGUAGES, UNCHECKED, engine))
    text = applied(snapshot.text, outcome.edits)
    if snapshot.newline == "\r\n":
        assert not re.search(r"(?<!\r)\n", text)
    shown = text.replace("\r\n", "\n").removesuffix("\n") if outcome.edits else outcome.message
    got = shown if outcome.edits else f"[{shown}]"
    case.expect(got, request.config.getoption("--update"))


@pytest.mark.parametrize("case", load("implement"), ids=lambda case: case.id)
async def test_implement(case, request):
    await check(case, request, implement.KIND)


@pytest.mark.parametrize("case", load("fix"), ids=lambda case: case.id)
async def test_fix(case, request):
    await check(case, request, fix.KIND, case.head.split(" | ")[2])
