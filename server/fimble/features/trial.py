"""Which draft of a function is taken: the first that is sound and passes the examples it is given.

One that fails goes back to the model with what was said of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from fimble.features.examples import FAILS, can_run, examples_failure
from fimble.features.offer import Outcome, Task
from fimble.features.unaided import UNKNOWN
from fimble.features.writing import complaints, is_sound, missing_imports
from fimble.source.edits import Edit

if TYPE_CHECKING:
    from fimble.check.command import Problem

MAX_ROUNDS: Final = 3
UNKNOWN_NAME: Final = "It uses what nothing defines:"
NOTHING: Final = "The model wrote nothing here that parses and fits."


@dataclass(frozen=True, slots=True)
class Draft:
    """A candidate, and the function that it is or begins with; "" if it is none."""

    edit: Edit
    name: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """A candidate that failed its examples, or uses what nothing defines, and what says so."""

    text: str
    failure: str

    @property
    def told(self) -> str:
        """What the user reads of it."""
        return self.failure if self.failure.startswith(UNKNOWN_NAME) else FAILS


async def best(
    task: Task,
    drafts: Callable[[Wrong | None], AsyncGenerator[Draft, None]],
    told: str,
    before: Sequence[Problem] | None,
) -> Outcome:
    """Return the first sound draft, or the first that passes the examples where those may run.

    ``drafts`` writes them, or mends one that is wrong; ``told`` says what they should do, and
    ``before`` is what the checker says of the file as it is.
    """
    # The user may have to be asked; the model writes meanwhile.
    allowed = asyncio.create_task(can_run(task, told))
    failed: list[tuple[Outcome, Wrong]] = []

    async def judged(draft: Draft) -> Outcome | None:
        outcome = await _sound(task, draft.edit)
        if outcome is None:
            return None
        examples = told if await allowed else ""
        failure = await _failure(task, draft.name, outcome, before, examples)
        if not failure:
            return replace(outcome, verified=failure is not None)
        failed.append((outcome, Wrong(draft.edit.text, failure)))
        return None

    try:
        async with aclosing(drafts(None)) as written:
            async for draft in written:
                if _is_new(draft, failed) and (outcome := await judged(draft)):
                    return outcome
        if not failed:
            return Outcome(message=NOTHING)
        for count in range(len(failed), len(failed) + MAX_ROUNDS):
            task.report("repairing", 0.8)
            async with aclosing(drafts(failed[-1][1])) as mended:
                new = (one async for one in mended if _is_new(one, failed))
                repaired = await anext(new, None)
            if repaired is not None and (outcome := await judged(repaired)):
                return outcome
            if len(failed) == count:
                break
    finally:
        allowed.cancel()
    outcome, wrong = failed[0]
    return replace(outcome, message=wrong.told)


def _is_new(draft: Draft, failed: Sequence[tuple[Outcome, Wrong]]) -> bool:
    return all(wrong.text != draft.edit.text for _, wrong in failed)


async def _failure(
    task: Task, name: str, outcome: Outcome, before: Sequence[Problem] | None, told: str
) -> str | None:
    """Return what is wrong with a candidate, "" if its examples pass, None if nobody knows.

    The examples of ``told`` are run, if that says anything.
    """
    failure = await examples_failure(task, name, outcome.edits, told) if told and name else None
    if failure is not None:
        return failure
    said = await complaints(task, outcome.edits, before)
    unknown = [one for one in said if UNKNOWN.search(one)]
    return f"{UNKNOWN_NAME} {'; '.join(unknown)}" if unknown else None


async def _sound(task: Task, edit: Edit) -> Outcome | None:
    """Return what comes of a candidate with the imports it needs, if it parses and compiles."""
    task.report("checking", 0.7)
    imports = missing_imports(task, edit.text, before=task.offer.start)
    return Outcome((*imports, edit)) if await is_sound(task.snapshot, edit, imports) else None
