"""What is run in the sandbox to choose between candidates: examples, and tests."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from fimble.check import sandbox
from fimble.check.runner import runner_of
from fimble.features.writing import path_of
from fimble.source.around import code_within, comment_around
from fimble.source.edits import Edit, applied

if TYPE_CHECKING:
    from fimble.check.sandbox import Outcome
    from fimble.features.offer import Task
    from fimble.features.testplace import Place
    from fimble.source.around import Definition

MAX_FAILURE: Final = 600
"""Characters of what failed examples printed that the model reads."""
FAILS: Final = "Not all of its examples pass."
_TRIED: Final = "tried"
_BEFORE: Final = "before"
_TOLD: Final = "told.txt"
_PASSED: Final = re.compile(r"^fimble: passed$", re.MULTILINE)
"""What the program says at its end: the code that it tries may end it with any status."""
_FAILED: Final = re.compile(r"^fimble: failed (\w+)$", re.MULTILINE)
_NONE: Final = 2
"""The exit status of a program that found no example, or nothing that can be run here."""


async def can_shut_in() -> bool:
    """Tell whether code can be run here apart from everything else."""
    return await sandbox.available()


def told_of(task: Task, definition: Definition) -> str:
    """Return what is said of a function: the comment above it, and all before its code."""
    snapshot, languages = task.snapshot, task.languages
    code, above = code_within(snapshot, languages, definition), max(definition.start - 1, 0)
    comment = comment_around(snapshot, languages, above, above)
    said = "" if comment is None else snapshot.text[comment[0] : comment[1]]
    inside = "" if code is None else snapshot.text[definition.body_start : code[0]]
    return f"{said}\n{inside}"


async def can_run(task: Task, told: str) -> bool:
    """Tell whether what is said of a function has examples, and whether they may be run here."""
    language = task.snapshot.language
    if not language.examples or not re.search(language.examples, told):
        return False
    return await runner_of(language.runner) is not None and await task.may_run()


async def examples_failure(task: Task, name: str, edits: Sequence[Edit], told: str) -> str | None:
    """Run the examples of the function ``name`` in the file as the edits make it.

    They are those of its docstring, if that was there before, and of the comments in ``told``.
    Return "" if they pass, None if nobody knows, else what they printed, shortened. Nobody knows
    if what looked like an example was none, or if the file cannot be imported by itself.
    """
    snapshot = task.snapshot
    ending = PurePosixPath(path_of(snapshot)).suffix
    tried, before = f"{_TRIED}{ending}", f"{_BEFORE}{ending}"
    texts = {tried: applied(snapshot.text, edits), before: snapshot.text, _TOLD: told}
    outcome = await _ran(task, "examples", (tried, name, before, _TOLD), texts)
    if outcome is None or outcome.code == _NONE:
        return None
    if outcome.code == 0:
        return "" if _PASSED.search(outcome.stdout) else None
    if outcome.timed_out:
        return "It did not end."
    return (outcome.stdout.strip() or outcome.stderr.strip())[-MAX_FAILURE:] or "It failed."


async def failing_tests(task: Task, place: Place, text: str) -> frozenset[str] | None:
    """Run a file of tests beside the file that they test; return the names of those that fail.

    None if that is not allowed here, or if nobody can tell: what the file imports may be missing,
    since nothing else of the project is there.
    """
    language = task.snapshot.language
    if not task.languages.program(language, "tests") or not await task.may_run():
        return None
    ending = PurePosixPath(path_of(task.snapshot)).suffix
    tested = f"{place.words['module'].replace('.', '/')}{ending}"
    tried = f"{_TRIED}{ending}"
    outcome = await _ran(task, "tests", (tried,), {tested: task.snapshot.text, tried: text})
    if outcome is None or outcome.code != 0:
        return None
    return frozenset(_FAILED.findall(outcome.stdout))


async def _ran(
    task: Task, name: str, arguments: Sequence[str], files: Mapping[str, str]
) -> Outcome | None:
    """Run a program of the language; None if it has none, or none that can be run here."""
    language = task.snapshot.language
    program, runner = task.languages.program(language, name), await runner_of(language.runner)
    if program is None or runner is None:
        return None
    # A name that no file of the user's has, and the ending that says how it is run.
    own = f"run_{program.name}"
    files = {own: await asyncio.to_thread(program.read_text, "utf-8"), **files}
    return await runner.run((own, *arguments), files)
