"""What a function that is written anew must still pass: the examples told of it, and its tests."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from fimble.features.examples import can_run, examples_failure, failing_tests, told_of
from fimble.features.testplace import Place, is_test_file, place_for, project_of
from fimble.features.writing import is_file, path_of
from fimble.source.edits import Edit, applied

if TYPE_CHECKING:
    from fimble.features.offer import Task
    from fimble.source.around import Definition


@dataclass(frozen=True, slots=True)
class Proof:
    """What passes as things are. ``told`` holds examples of the function ``name``, if it has any.

    ``tests`` is the file with its tests, if it has one that can be run; ``failing`` are those that
    fail already.
    """

    name: str
    told: str
    tests: Place | None
    failing: frozenset[str]


async def proof_of(task: Task, function: Definition) -> Proof:
    """Run what there is, where that is allowed, before anything is changed."""
    told = told_of(task, function)
    if not await can_run(task, told) or await examples_failure(task, function.name, (), told):
        told = ""
    tests = await asyncio.to_thread(_tests_of, task, function)
    text = "" if tests is None else tests.text
    failing = await failing_tests(task, tests, text) if tests and text else None
    return Proof(function.name, told, None if failing is None else tests, failing or frozenset())


async def disproved(task: Task, proof: Proof, edits: Sequence[Edit]) -> bool | None:
    """Tell whether something fails with the edits that passed before; None if nobody knows."""
    found: list[bool | None] = []
    if proof.told:
        failure = await examples_failure(task, proof.name, edits, proof.told)
        found.append(failure if failure is None else bool(failure))
    if proof.tests is not None and True not in found:
        snapshot = task.snapshot
        text = applied(snapshot.text, edits)
        new = replace(task, snapshot=snapshot.splice(0, len(snapshot.text), text, snapshot.version))
        failing = await failing_tests(new, proof.tests, proof.tests.text or "")
        # They could be run before, so it is the edits' fault if they do not come to their end.
        found.append(failing is None or bool(failing - proof.failing))
    known = [one for one in found if one is not None]
    return any(known) if known else None


def _tests_of(task: Task, function: Definition) -> Place | None:
    """Look for the file that holds the tests of the function's file."""
    snapshot, tests = task.snapshot, task.snapshot.language.tests
    if (
        tests is None
        or not is_file(snapshot)
        or not task.languages.program(snapshot.language, "tests")
    ):
        return None
    if is_test_file(PurePosixPath(path_of(snapshot)), tests):
        return None
    project, path = project_of(task)
    place = place_for(project, path, tests, function.name, function.name)
    return None if place is None or place.path == path else place
