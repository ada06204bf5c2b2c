"""Compilers and linters as commands: they read a file from standard input and run nothing of it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fimble.source.languages import Language

SECONDS: Final = 10.0
"""How long a checker may take; ruff needs 20 ms for a file, pyflakes 150 ms."""
MAX_OUTPUT: Final = 256 * 1024
_PLACE: Final = re.compile(
    r"^[^\n]*?:(?P<line>\d+):(?:(?P<column>\d+):?)?[ \t]*"
    r"(?:(?P<code>[A-Za-z]+-?\d+):?[ \t]+)?(?P<message>\S[^\n]*)$",
    re.MULTILINE,
)


_SEARCHED: Final = os.pathsep.join(
    (os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent))
)
"""Where checkers are found; beside our own interpreter too, which need not be active."""


_BARE: Final = ("PATH", "SYSTEMROOT", "LANG")
"""The variables without which programs do not start, or do not read UTF-8."""
_ROOT: Final = Path(sys.executable).anchor
"""A folder in which nobody leaves files to be found."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What a checker says; ``line`` counts from 0."""

    line: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a command ended, and what it printed on both streams."""

    code: int
    output: str


async def problems(
    language: Language, path: str, text: str, chosen: Mapping[str, Sequence[str]]
) -> tuple[Problem, ...] | None:
    """Return what the language's checker finds in ``text``; None without a checker that runs.

    ``chosen`` are the user's commands by language id; without one the first of the language's own
    that is installed counts. Any output of the form ``file:line:column: code message`` is read.
    """
    commands = [chosen[language.id]] if language.id in chosen else list(language.checkers)
    for command in commands:
        verdict = await run(command, path, text)
        if verdict is None:
            continue
        found = tuple(_problems(verdict.output))
        # It failed and said nothing that is about a line: it is not installed, or misled.
        if found or verdict.code == 0:
            return found
    return None


async def compiles(language: Language, path: str, text: str) -> bool | None:
    """Tell whether ``text`` compiles; None where nobody knows."""
    known = False
    for command in language.compilers:
        verdict = await run(command, path, text, is_bare=True)
        if verdict is not None and verdict.code == 0:
            return True
        known = known or verdict is not None
    return False if known else None


async def run(
    command: Sequence[str], path: str, text: str, *, is_bare: bool = False
) -> Verdict | None:
    """Run a checker on ``text``; None if it cannot be started, or takes too long.

    ``{python}`` stands for this interpreter and ``{path}`` for the file, by which a checker finds
    the project's configuration. One that ``is_bare`` finds none: no variable of the environment
    and no file of the folder we are in can make it load something.
    """
    words = [word.replace("{python}", sys.executable).replace("{path}", path) for word in command]
    program = shutil.which(words[0], path=_SEARCHED) if words else None
    if program is None:
        return None
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        program,
        *words[1:],
        stdin=pipe,
        stdout=pipe,
        stderr=asyncio.subprocess.STDOUT,
        env={name: os.environ[name] for name in _BARE if name in os.environ} if is_bare else None,
        cwd=_ROOT if is_bare else None,
    )
    try:
        async with asyncio.timeout(SECONDS):
            output, _ = await process.communicate(text.encode())
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None, "it has ended"
    return Verdict(process.returncode, output[:MAX_OUTPUT].decode(errors="replace"))


def _problems(output: str) -> Iterator[Problem]:
    for match in _PLACE.finditer(output):
        yield Problem(int(match["line"]) - 1, match["code"] or "", match["message"].strip())
