"""What actions are to do: each benchmark's rows in one form. See the data's own SOURCE.txt."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fimble.errors import FimbleError
from fimble.measure.eval.execute import PYTHON, Program
from fimble.measure.eval.lint import CONFIGURATION, Found, linted
from fimble.measure.eval.rows import EXTENSIONS, Suite, interleaved, read_rows

FIX: Final = "quickfix.fimble"
IMPLEMENT: Final = "refactor.rewrite.fimble.implement"
LINTERS: Final = {"pyflakes": "F", "flake8_bugbear": "B"}
"""The folders of fixtures that are asked, and the rules that belong to them."""
CLOSERS: Final = {"js": "}\n", "cpp": "}\n", "go": "}\n", "rust": "}\n", "java": "    }\n}\n"}
"""What is open where a task's prompt ends; an editor has closed it."""
SLOW_CHARS: Final = 20
"""With longer texts the programs that are right take minutes; QuixBugs leaves them out too."""
_IMPORTS: Final = re.compile(r"\A.*?(?=^node|^def )", re.DOTALL | re.MULTILINE)
_CALL_ALL: Final = """
for name, test in list(globals().items()):
    if name.startswith("test"):
        test()
"""
_PLAIN: Final = """
def plain(value):
    if isinstance(value, (list, tuple)) or hasattr(value, "__next__"):
        return [plain(one) for one in value]
    return value

"""


@dataclass(frozen=True, slots=True)
class TaskRow:
    """An action of ``kind`` at ``start`` to ``end`` of a file; it is summed up in ``group``.

    What is right says ``program``, a test, or else the linter: the diagnostic is ``about``.
    ``message`` is the diagnostic's; a row that is to be mended without one gets the words of its
    failing test. ``files`` are others in the workspace. The plain model is asked ``question``
    about the text from ``piece`` on to ``piece_end``, and its answer takes that text's place.
    """

    id: str
    group: str
    path: str
    text: str
    start: int
    end: int
    kind: str
    question: str
    piece: int
    piece_end: int
    program: Program | None = None
    about: Found | None = None
    message: str = ""
    files: tuple[tuple[str, str], ...] = ()

    @property
    def tool(self) -> str:
        """The language, by the benchmarks' names."""
        return PYTHON if self.program is None else self.program.tool


def load_tasks(suite: Suite, data: Path, seed: int) -> list[TaskRow]:
    """Read all rows of a suite, in an order that takes turns between groups.

    Raises `FimbleError` without the data.
    """
    rows = [row for reader in _READERS[suite] for row in reader(data)]
    if not rows:
        raise FimbleError(f"There are no rows for {suite} in {data}.")
    return interleaved(rows, seed)


def _human_eval(data: Path) -> Iterator[TaskRow]:
    for raw in read_rows(data / "human-eval" / "HumanEval.jsonl.gz"):
        name, text = raw["entry_point"], raw["prompt"]
        test = f"{raw['test']}\ncheck({name})".replace("candidate", name)
        yield _to_write(raw["task_id"], "human-eval", PYTHON, text, name, test)


def _packed(data: Path) -> Iterator[TaskRow]:
    for language in EXTENSIONS:
        if language == PYTHON:  # It is HumanEval.
            continue
        for raw in read_rows(data / "humanevalpack" / f"{language}.jsonl.gz"):
            text = raw["prompt"] + CLOSERS[language]
            group = f"human-eval {language}"
            yield _to_write(raw["task_id"], group, language, text, raw["entry_point"], raw["test"])


def _to_write(  # noqa: PLR0917  (two callers, right above)
    name: str, group: str, tool: str, text: str, entry: str, test: str
) -> TaskRow:
    # Examples name it too: behind the signature in Python, before it elsewhere.
    at = text.index(f"def {entry}(") if tool == PYTHON else text.rindex(entry)
    first = text.rfind("\n", 0, at) + 1
    # In other languages the comment stands above, with what it is about.
    piece = first if tool == PYTHON else 0
    return TaskRow(
        id=name,
        group=group,
        path=f"solution.{EXTENSIONS[tool]}",
        text=text,
        start=at,
        end=at,
        kind=IMPLEMENT,
        question="Complete this function. Answer with all of the code and nothing else.",
        piece=piece,
        piece_end=len(text),
        program=Program(tool, test),
    )


def _mbpp(data: Path) -> Iterator[TaskRow]:
    for raw in read_rows(data / "mbpp" / "mbpp_test.jsonl.gz"):
        told = [raw["prompt"], "It must pass:", *raw["test"]]
        text = "".join(f"# {line}\n" for one in told for line in one.splitlines())
        yield TaskRow(
            id=f"mbpp/{raw['task_id']}",
            group="mbpp",
            path="solution.py",
            text=text,
            start=0,
            end=0,
            kind=IMPLEMENT,
            question="Write what this comment describes. Answer with the code and nothing else.",
            piece=0,
            piece_end=len(text),
            program=Program(PYTHON, "\n".join(raw["test"])),
        )


def _quixbugs(data: Path) -> Iterator[TaskRow]:
    for raw in read_rows(data / "quixbugs" / "python.jsonl.gz"):
        yield _to_mend(
            f"quixbugs/{raw['name']}",
            "quixbugs",
            f"{raw['name']}.py",
            raw["buggy"],
            raw["name"],
            Program(PYTHON, _quix_test(raw), (("node.py", raw["node_module"] or ""),)),
        )


def _quix_test(raw: Mapping[str, Any]) -> str:
    name = raw["name"]
    if raw["json_cases"]:
        cases = (
            f"assert plain({name}({', '.join(map(repr, given))})) == {wanted!r}"
            for given, wanted in raw["json_cases"]
            if not any(isinstance(one, str) and len(one) > SLOW_CHARS for one in given)
        )
        return _PLAIN + "\n".join(cases)
    imports = "import sys\nsys.path.insert(0, '.')\nfrom node import Node\n"
    return imports + _IMPORTS.sub("", raw["pytest"]) + _CALL_ALL


def _human_eval_fix(data: Path) -> Iterator[TaskRow]:
    for raw in read_rows(data / "humanevalpack" / "python.jsonl.gz"):
        text = raw["prompt"] + raw["buggy_solution"]
        program = Program(PYTHON, raw["test"])
        name = raw["entry_point"]
        yield _to_mend(raw["task_id"], "human-eval-fix", "solution.py", text, name, program)


def _to_mend(  # noqa: PLR0917  (two callers, right above)
    name: str, group: str, path: str, text: str, entry: str, program: Program
) -> TaskRow:
    """Return a row whose function ``entry`` is wrong as a whole."""
    header = re.search(rf"^def {entry}\b", text, re.MULTILINE)
    if header is None:
        raise FimbleError(f"{name} does not define {entry}.")
    start = header.start()
    following = re.compile(r"^\S", re.MULTILINE).search(text, header.end())
    end = start + len(text[start : following.start() if following else None].rstrip())
    question = "This function is wrong. Mend it. Answer with the whole function and nothing else."
    return TaskRow(name, group, path, text, start, end, FIX, question, start, end, program)


def _ruff(data: Path) -> Iterator[TaskRow]:
    sources: dict[str, dict[str, str]] = {linter: {} for linter in LINTERS}
    for raw in read_rows(data / "ruff-fixtures" / "python.jsonl.gz"):
        if raw["linter"] in sources:
            sources[raw["linter"]][raw["file"]] = raw["source"]
    for linter, files in sources.items():
        for file, found in linted(files, LINTERS[linter]).items():
            # A fixture repeats one mistake many times: the first of each kind says enough.
            for one in {one.code: one for one in reversed(found)}.values():
                yield _lint_row(linter, file, files[file], one)


def _lint_row(linter: str, file: str, text: str, found: Found) -> TaskRow:
    lines = text.splitlines(keepends=True)
    first, last = max(found.line - 5, 0), min(found.end_line + 6, len(lines))
    return TaskRow(
        id=f"{file}/{found.code}",
        group=linter,
        path=file,
        text=text,
        start=found.start,
        end=found.end,
        kind=FIX,
        question="Mend this piece of code. Answer with the whole piece and nothing else.",
        piece=sum(map(len, lines[:first])),
        piece_end=sum(map(len, lines[:last])),
        about=found,
        message=found.message,
        files=(("ruff.toml", CONFIGURATION.format(LINTERS[linter])),),
    )


_READERS: Final[Mapping[Suite, tuple[Callable[[Path], Iterator[TaskRow]], ...]]] = {
    Suite.IMPLEMENT: (_human_eval, _mbpp, _packed),
    Suite.FIX: (_quixbugs, _human_eval_fix, _ruff),
}
