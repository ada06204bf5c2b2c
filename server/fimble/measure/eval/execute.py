"""Runs a row's test: shut in by the sandbox, or in a child process where there is none."""

from __future__ import annotations

import asyncio
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final, Self

from fimble.check import sandbox
from fimble.check.runner import WIDE

SECONDS: Final = 4
"""HumanEval's tests take milliseconds; its authors allow 3 seconds."""
BUILD_SECONDS: Final = 20
"""A C++ program is compiled first, on a machine that does other things too."""
MEGABYTE: Final = 1024 * 1024
SAID_CHARS: Final = 400
_WIDE: Final = replace(
    WIDE,
    wall_seconds=BUILD_SECONDS,
    cpu_seconds=BUILD_SECONDS,
    memory_bytes=1024 * MEGABYTE,
    processes=128,
)


@dataclass(frozen=True, slots=True)
class Tool:
    """How the programs of a language are run: ``file`` is what they are written to.

    ``prelude`` comes before them, ``files`` stand beside them. ``needs`` are the programs without
    which nothing can be run. ``home`` is a command that prints the folder of a toolchain that does
    not lie with the system's programs; it takes the place of ``{home}`` in ``command``.
    """

    file: str
    command: tuple[str, ...]
    needs: tuple[str, ...] = ()
    prelude: str = ""
    files: tuple[tuple[str, str], ...] = ()
    home: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Program:
    """A test that is appended to a file of its language, with other files beside it."""

    tool: str
    test: str
    files: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Ran:
    """Whether all is well, and in a sentence what is not."""

    passed: bool
    said: str = ""


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs programs; ``shut_in`` tells whether the sandbox works here.

    Without it only Python is run, in an empty folder and without the user's environment and
    packages: that keeps mistakes of a model in bounds and is no protection from malice.
    """

    shut_in: bool

    @classmethod
    async def ready(cls) -> Self:
        """Find out what can be done here."""
        return cls(await sandbox.available())

    def can_run(self, tool: str) -> bool:
        """Tell whether programs of a language can be run here."""
        if tool == PYTHON:
            return True
        known = TOOLS.get(tool)
        if not self.shut_in or known is None or not all(map(shutil.which, known.needs)):
            return False
        return _located(known) is not None

    async def test(self, program: Program, text: str) -> Ran:
        """Run a file with its test."""
        tool = TOOLS[program.tool]
        main = f"{tool.prelude}{text}\n{program.test}\n"
        files = {**dict(tool.files), **dict(program.files), tool.file: main}
        if program.tool == PYTHON:
            files |= {_TELLER: TELL}
        if not self.shut_in:
            return _in_child(tool.command, files)
        limits = sandbox.Limits(SECONDS + 1.0, SECONDS) if program.tool == PYTHON else _WIDE
        located = await asyncio.to_thread(_located, tool)
        assert located is not None, "it can be run"
        command, readable = located
        outcome = await sandbox.run(command, files, limits=limits, readable=readable)
        said = (outcome.stdout.strip() or outcome.stderr.strip())[-SAID_CHARS:]
        return Ran(outcome.passed, "It does not end." if outcome.timed_out else said)

    async def passes(self, program: str) -> bool:
        """Tell whether a Python program ends without an error within limits of time and memory."""
        return (await self.test(Program(PYTHON, ""), program)).passed


@cache
def _located(tool: Tool) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Return the command of a tool, and the folders outside of the system's that it reads.

    None if there is only a launcher, and no toolchain that it could launch.
    """
    if not tool.home:
        return tool.command, ()
    done = subprocess.run(tool.home, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None
    home = Path(done.stdout.strip())
    # Debian's Java has its settings elsewhere.
    linked = {one.resolve().parent for one in (home / "conf").glob("*") if one.is_symlink()}
    command = tuple(word.replace("{home}", str(home)) for word in tool.command)
    return command, (str(home), *map(str, sorted(linked)))


def _in_child(command: Sequence[str], files: Mapping[str, str]) -> Ran:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=SECONDS + 1,
                cwd=folder,
                env={},
                check=False,
                preexec_fn=_limit,
            )
        except subprocess.TimeoutExpired:
            return Ran(passed=False, said="It does not end.")
    said = done.stdout.decode(errors="replace").strip()[-SAID_CHARS:]
    return Ran(done.returncode == 0, said)


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (1024 * MEGABYTE, 1024 * MEGABYTE))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


PYTHON: Final = "python"
BUILD_RUST: Final = """\
for crate in rand regex md5; do
    "$1" --crate-type=rlib "$crate.rs" || exit
done
crates="-L . --extern rand --extern regex --extern md5"
"$1" --edition=2018 --cap-lints=allow --test $crates main.rs -o main && ./main
"""
"""All programs of the benchmark import these crates, and hardly any uses them: empty ones do."""
_TELLER: Final = "tell.py"
TOOLS: Final[Mapping[str, Tool]] = {
    PYTHON: Tool("main.py", (sys.executable, "-I", "-S", "-B", _TELLER)),
    "js": Tool(
        "main.js",
        ("node", "main.js"),
        ("node",),
        # Node only prints what fails.
        'console.assert = (good) => { if (!good) throw new Error("An assertion failed."); };\n',
    ),
    "cpp": Tool("main.cpp", ("sh", "-c", "g++ -w -o main main.cpp && ./main"), ("g++",)),
    "java": Tool(
        "Main.java",
        ("sh", "-c", "{home}/bin/javac -nowarn Main.java && {home}/bin/java Main"),
        ("javac", "java"),
        home=("sh", "-c", 'dirname "$(dirname "$(readlink -f "$(command -v javac)")")"'),
    ),
    "rust": Tool(
        "main.rs",
        ("sh", "build.sh", "{home}/bin/rustc"),
        ("rustc", "cc"),
        files=(
            ("build.sh", BUILD_RUST),
            ("rand.rs", "pub trait Rng {}\n"),
            ("regex.rs", "pub struct Regex;\n"),
            ("md5.rs", ""),
        ),
        home=("rustc", "--print", "sysroot"),
    ),
}
"""By the benchmarks' names of languages."""

TELL: Final = '''\
import ast, linecache, re, runpy, signal, sys, traceback

def late(*_):
    raise TimeoutError

def asked(line):
    """Return the sides of an assertion, the first without what only makes it comparable."""
    test = ast.parse(line).body[0].test
    left, right = test, None
    if isinstance(test, ast.Compare) and isinstance(test.ops[0], (ast.Eq, ast.Is)):
        left, right = test.left, test.comparators[0]
    bare = left
    if isinstance(left, ast.Call) and getattr(left.func, "id", "") == "plain":
        [bare] = left.args
    return ast.unparse(bare), left, right

def told(error, frames):
    """Return what failed as a test runner says it: what was called, what came, what should."""
    lines = [linecache.getline("main.py", number).strip() for _, number in frames]
    line = next((one for one in lines if one.startswith("assert ")), "")
    try:
        call, left, right = asked(line)
    except (SyntaxError, IndexError, AttributeError):
        call, left, right = line, None, None
    if isinstance(error, TimeoutError):
        return f"{call} does not end."
    if not isinstance(error, AssertionError):
        return f"{call} raises {type(error).__name__}: {error}, at `{lines[-1]}`."
    if right is None:
        return f"{call} is false."
    inner = frames[-1][0]
    got, wanted = (
        eval(compile(ast.Expression(one), "", "eval"), inner.f_globals, inner.f_locals)
        for one in (left, right)
    )
    return f"{call} gives {got!r}, not {wanted!r}."

signal.signal(signal.SIGALRM, late)
signal.alarm(3)
try:
    runpy.run_path("main.py", run_name="__main__")
except BaseException as error:
    frames = [
        one for one in traceback.walk_tb(error.__traceback__)
        if one[0].f_code.co_filename == "main.py"
    ]
    signal.alarm(1)
    said = told(error, frames) if frames else f"{type(error).__name__}: {error}"
    print(re.sub(" at 0x[0-9a-f]+", "", said))
    sys.exit(1)
'''
"""Runs main.py and tells in a line why it fails."""
