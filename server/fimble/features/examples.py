"""The examples in a docstring, run in the sandbox to choose between candidates."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from fimble.check import sandbox
from fimble.errors import SandboxRefused
from fimble.features.writing import path_of
from fimble.source.around import code_within
from fimble.source.edits import Edit, applied

if TYPE_CHECKING:
    from fimble.features.offer import Task
    from fimble.source.around import Definition

LIMITS: Final = sandbox.Limits(wall_seconds=5.0, cpu_seconds=5)
MAX_FAILURE: Final = 600
"""Characters of what failed examples printed that the model reads."""
_PROGRAM: Final = "run_examples"
_TRIED: Final = "tried"
_NONE: Final = 2
"""The exit status of a program that found no example."""


async def can_run(task: Task, definition: Definition) -> bool:
    """Tell whether a function has examples, and whether they can be run safely here."""
    snapshot = task.snapshot
    looks = snapshot.language.examples
    code = code_within(snapshot, task.languages, definition)
    if not looks or code is None:
        return False
    text = snapshot.text[definition.body_start : code[0]]
    return bool(re.search(looks, text)) and await sandbox.available()


async def examples_failure(task: Task, name: str, edits: Sequence[Edit]) -> str | None:
    """Run the examples of the function ``name`` in the file as the edits make it.

    Return "" if they pass, None if what looked like an example was none, else what they printed,
    shortened.
    """
    snapshot = task.snapshot
    program = task.languages.examples_program(snapshot.language)
    if program is None:
        return "There is nothing to run the examples with."
    ending = PurePosixPath(path_of(snapshot)).suffix
    files = {f"{_PROGRAM}{ending}": program, f"{_TRIED}{ending}": applied(snapshot.text, edits)}
    command = (sys.executable, f"{_PROGRAM}{ending}", f"{_TRIED}{ending}", name)
    try:
        outcome = await sandbox.run(command, files, limits=LIMITS)
    except SandboxRefused as error:
        return str(error)
    if outcome.code in (0, _NONE):
        return "" if outcome.code == 0 else None
    if outcome.timed_out:
        return "It did not end."
    return (outcome.stdout.strip() or outcome.stderr.strip())[-MAX_FAILURE:] or "It failed."
