"""Write tests for a function, a method or a class, where the project has its tests."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from fimble.check.command import compiles
from fimble.check.place import indent
from fimble.features.examples import failing_tests
from fimble.features.offer import Look, Offer, Other, Outcome, Task
from fimble.features.orders import CANNOT, MAX_CODE, TOO_LONG, order
from fimble.features.testdraft import (
    alone,
    begins,
    between,
    checks,
    missing_import,
    tests_in,
    without,
)
from fimble.features.testplace import Place, Project, is_test_file, place_for, project_of
from fimble.features.writing import (
    answers,
    is_closed,
    is_file,
    is_sound,
    missing_imports,
    path_of,
    uri_of,
    with_newlines,
)
from fimble.source.around import Definition, import_lines, import_place, nested, stub_of
from fimble.source.edits import Edit, applied
from fimble.source.text import Snapshot
from fimble.source.tree import error_count

if TYPE_CHECKING:
    from fimble.engine.messages import Prompt
    from fimble.source.languages import Languages, Tests

KIND: Final = "refactor.rewrite.fimble.test"
MAX_TOKENS: Final = 448
MAX_TESTS: Final = 5
NOTHING: Final = "The model wrote no test that parses and checks something."
FAILING: Final = "All tests that the model wrote fail, so none was kept."
UNREACHABLE: Final = "No test can import this file."
_KINDS: Final = ("function", "method", "class")
_SPECIAL: Final = "__"
"""What the names of methods begin with that nobody calls by their names."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is tested, and ``outer``, the definition around it by which a test gets at it."""

    definition: Definition
    outer: Definition

    @property
    def name(self) -> str:
        """What tests have to name."""
        return self.definition.name


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the tests of a subject go, and ``lead``, how a file with them begins."""

    subject: Subject
    project: Project
    place: Place
    lead: str
    gap: int

    @property
    def end(self) -> str:
        """How a file with tests ends."""
        return self.place.filled(self.place.framework.end)


def offers(look: Look) -> Iterator[Offer]:
    """Offer it for what is written and can be imported, where the language's tests are known."""
    snapshot, tests = look.snapshot, look.snapshot.language.tests
    if not look.talks or tests is None or not is_file(snapshot):
        return
    subject = _subject(snapshot, look.languages, look.start, look.end)
    if subject is None or is_test_file(PurePosixPath(path_of(snapshot)), tests):
        return
    found = subject.definition
    if stub_of(snapshot, look.languages, found) or not _is_reachable(snapshot, tests, subject):
        return
    if not any(_holds_test(snapshot, found, one.test) for one in tests.frameworks):
        yield Offer(KIND, f"Write tests for {found.name}", found.start, found.end)


async def make(task: Task) -> Outcome:
    """Write tests until some are sound, and pass where they may be run."""
    tests = task.snapshot.language.tests
    at = task.offer.start
    subject = _subject(task.snapshot, task.languages, at, at)
    if subject is None or tests is None:
        return Outcome(message=NOTHING)
    task.report("looking at the project's tests", 0.05)
    plan = await asyncio.to_thread(_plan, task, tests, subject)
    if plan is None:
        return Outcome(message=UNREACHABLE)
    code = _code(task.snapshot, subject)
    if len(code) > MAX_CODE:
        return Outcome(message=TOO_LONG)
    prompt = order(task, _words(plan), code, plan.lead)
    return Outcome(message=CANNOT) if prompt is None else await _written(task, plan, prompt)


async def _written(task: Task, plan: Plan, prompt: Prompt) -> Outcome:
    task.report("writing", 0.1)
    message = NOTHING
    async for draft in _drafts(task, plan, prompt):
        task.report("checking", 0.8)
        tests = tests_in(draft, plan.place.framework)
        failing = await failing_tests(task, plan.place, draft.text)
        failed = [test for test in tests if failing and test.name in failing]
        if len(failed) == len(tests):
            message = FAILING
            continue
        kept = await _parsed(task, without(draft, tests, failed, plan.gap) + plan.end)
        outcome = await _outcome(task, plan, kept)
        if outcome is not None:
            return replace(outcome, verified=failing is not None, message=_told(len(failed)))
    return Outcome(message=message)


def _subject(snapshot: Snapshot, languages: Languages, start: int, end: int) -> Subject | None:
    """Return the innermost definition that a test can get at: none inside of a function."""
    around = nested(snapshot, languages, start, end, _KINDS)
    if not around:
        return None
    subject = around[0]
    for one in around[1:]:
        if subject.is_callable or one.name.startswith(_SPECIAL):
            break
        subject = one
    return Subject(subject, around[0])


def _is_reachable(snapshot: Snapshot, tests: Tests, subject: Subject) -> bool:
    first = snapshot.line_text(snapshot.line_of(subject.definition.start))
    if tests.hidden and re.search(tests.hidden, first):
        return False
    # The pattern holds braces of its own.
    pattern = tests.reachable.replace("{name}", re.escape(subject.outer.name))
    return bool(re.search(pattern, snapshot.text, re.MULTILINE))


def _holds_test(snapshot: Snapshot, definition: Definition, test: str) -> bool:
    code = snapshot.text[definition.start : definition.end]
    return bool(re.search(test, code, re.MULTILINE))


def _plan(task: Task, tests: Tests, subject: Subject) -> Plan | None:
    """Look at the workspace; None if no test could import the file."""
    project, at = project_of(task)
    place = place_for(project, at, tests, subject.outer.name, subject.name)
    lead = "" if place is None else _lead(task.snapshot, tests, place)
    return None if place is None else Plan(subject, project, place, lead, tests.gap)


def _lead(snapshot: Snapshot, tests: Tests, place: Place) -> str:
    """Return the beginning of a file with tests, up to the name of the first."""
    opening = re.search(tests.opening, snapshot.text, re.MULTILINE) if tests.opening else None
    imports = "\n".join(place.filled(one) for one in place.framework.imports)
    head = f"{opening[0]}\n\n" if opening else ""
    gap = "\n" * (tests.gap + 1) if imports else ""
    return f"{head}{imports}{gap}{place.filled(place.framework.begin)}"


def _words(plan: Plan) -> str:
    name, kind = plan.subject.name, plan.subject.definition.kind
    return (
        f"Write four short tests for the {kind} `{name}` with {plan.place.framework.name}."
        f" Each test calls `{name}` once and has one assertion."
    )


def _code(snapshot: Snapshot, subject: Subject) -> str:
    """Return what the model is shown: all around the subject, unless that is too much."""
    outer, inner = subject.outer, subject.definition
    code = snapshot.text[outer.start : outer.end]
    return code if len(code) <= MAX_CODE else snapshot.text[inner.start : inner.end]


async def _drafts(task: Task, plan: Plan, prompt: Prompt) -> AsyncIterator[Snapshot]:
    """Yield files with tests that parse, compile and check something."""
    framework = plan.place.framework
    begin = plan.place.filled(framework.begin)
    closed = False

    def done(text: str) -> bool:
        nonlocal closed
        closed = is_closed(prompt, text)
        return closed or len(begins(framework, begin + text)) > MAX_TESTS

    async for text in answers(task, (prompt,), MAX_TOKENS, done):
        draft = await _whole(task, plan, plan.lead + text, closed=closed)
        if draft is not None and (sound := await _sound(task, plan, draft)):
            yield sound


async def _whole(task: Task, plan: Plan, text: str, *, closed: bool) -> Snapshot | None:
    """Return what the model wrote as a file that parses; the last test goes if it is not whole."""
    text = text.rstrip()
    texts = [f"{text}\n", f"{text}\n{plan.end}"] if closed else []
    starts = begins(plan.place.framework, text)
    if len(starts) > 1:
        texts.append(f"{text[: starts[-1].start()].rstrip()}\n{plan.end}")
    elif not closed:
        # All went into one test; the line under way is cut off.
        texts.append(f"{text.rpartition(chr(10))[0]}\n{plan.end}")
    for one in texts:
        parsed = await _parsed(task, one)
        if _is_clean(parsed):
            return parsed
    return None


async def _sound(task: Task, plan: Plan, draft: Snapshot) -> Snapshot | None:
    """Return the tests that check something and are not there yet, with what they import."""
    framework = plan.place.framework
    there = {match["name"] for match in begins(framework, plan.place.text or "")}
    tests = tests_in(draft, framework)
    dropped = []
    for test in tests:
        if test.name in there or not checks(draft, framework, test, plan.subject.name):
            dropped.append(test)
        there.add(test.name)
    text = without(draft, tests, dropped, plan.gap)
    if not text:
        return None
    first = tests[0].start
    head = await _parsed(task, text[:first])
    place = plan.lead.index(plan.place.filled(framework.imports[0])) if framework.imports else 0
    imports = missing_imports(replace(task, snapshot=head), text[first:], before=place)
    spaced = [replace(one, text=f"{one.text}\n") for one in imports]
    kept = await _parsed(task, applied(text, spaced) + plan.end)
    if not _is_clean(kept):
        return None
    compiled = await compiles(kept.language, path_of(kept), kept.text)
    return None if compiled is False else kept


async def _outcome(task: Task, plan: Plan, kept: Snapshot) -> Outcome | None:
    """Return the edits that add the tests, to a new file or behind those that are there."""
    place, language = plan.place, kept.language
    path = PurePosixPath(plan.project.root.as_posix()) / place.path
    if place.text is None:
        new = Snapshot.open(uri_of(task.snapshot, path), 0, language, "")
        edit = Edit(0, 0, with_newlines(task.snapshot, kept.text))
        return Outcome(other=Other(new, (edit,), is_new=True))
    is_own = path.as_posix() == path_of(task.snapshot)
    there = task.snapshot if is_own else task.opened.get(path.as_posix())
    if there is None:
        there = Snapshot.open(uri_of(task.snapshot, path), 0, language, place.text)
    there = await there.parse_in_slices(await asyncio.to_thread(task.languages.grammar, language))
    *imports, edit = _added(task, plan, kept, there)
    if not await is_sound(there, edit, tuple(imports)):
        return None
    edits = (*imports, edit)
    return Outcome(edits) if is_own else Outcome(other=Other(there, edits))


def _added(task: Task, plan: Plan, kept: Snapshot, there: Snapshot) -> Iterator[Edit]:
    """Yield the edits that add tests to a file that is there, the tests last."""
    framework = plan.place.framework
    known, new = tests_in(there, framework), tests_in(kept, framework)
    space = ""
    if known:
        at = known[-1].end
        space = indent(there.text[known[-1].start : at])
        text = alone(kept, new, space, plan.gap)
    else:
        at = len(there.text.rstrip())
        text = kept.text[_behind_imports(plan, kept, new[0].start) :].rstrip()
    words = set(re.findall(r"\w+", " ".join(import_lines(there, task.languages))))
    lines = [plan.place.filled(one) for one in framework.imports]
    wanted = [missing_import(one, words) for one in lines if one not in there.text]
    lines = [one for one in wanted if one]
    others = missing_imports(replace(task, snapshot=there), text)
    imports = "".join(f"{one}\n" for one in lines) + "".join(one.text for one in others)
    place = import_place(there, task.languages)
    if imports and place < at:
        yield Edit(place, place, with_newlines(there, imports))
    elif imports:
        text = imports.rstrip() + between("", plan.gap) + text
    blank = between(space, plan.gap) if at else ""
    yield Edit(at, at, with_newlines(there, blank + text))


def _behind_imports(plan: Plan, kept: Snapshot, first: int) -> int:
    """Return where what holds the tests begins: a class around them, or the first of them."""
    holder, newline, _ = plan.place.filled(plan.place.framework.begin).partition("\n")
    return kept.text.index(holder) if newline else first


async def _parsed(task: Task, text: str) -> Snapshot:
    language = task.snapshot.language
    grammar = await asyncio.to_thread(task.languages.grammar, language)
    return await Snapshot.open(task.snapshot.uri, 0, language, text).parse_in_slices(grammar)


def _is_clean(snapshot: Snapshot) -> bool:
    return snapshot.tree is not None and not error_count(snapshot.tree)


def _told(failed: int) -> str:
    """Return what the user is told of tests that failed."""
    if not failed:
        return ""
    return f"{failed} of the tests failed and {'was' if failed == 1 else 'were'} left out."
