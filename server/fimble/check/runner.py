"""The interpreter that runs a language's own programs in the sandbox: those with its examples."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

from fimble.check import sandbox
from fimble.errors import SandboxRefused

log = logging.getLogger(__name__)

LIMITS: Final = sandbox.Limits(wall_seconds=5.0, cpu_seconds=5)
GIGABYTE: Final = 1024 * sandbox.MEGABYTE
WIDE: Final = replace(LIMITS, address_bytes=64 * GIGABYTE, processes=64)
"""Node starts a dozen threads and reserves far more memory than it uses."""


@dataclass(frozen=True, slots=True)
class Runner:
    """A command to which a program and its arguments are added, and what it needs."""

    command: tuple[str, ...]
    readable: tuple[str, ...]
    limits: sandbox.Limits

    async def run(
        self, arguments: Sequence[str], files: Mapping[str, str]
    ) -> sandbox.Outcome | None:
        """Run a program that is one of the files; None if it cannot be shut in."""
        command = (*self.command, *arguments)
        try:
            return await sandbox.run(command, files, limits=self.limits, readable=self.readable)
        except SandboxRefused:
            return None


async def runner_of(command: Sequence[str]) -> Runner | None:
    """Return how to run a command such as ``("node",)``; ``{python}`` is the one that runs us.

    None where it is not installed, or does not start in the sandbox: one in the user's own folder
    may be a script that looks for others there. The first call tries it, in 0.2 s.
    """
    return await asyncio.to_thread(_found, tuple(command)) if command else None


@cache
def _found(command: tuple[str, ...]) -> Runner | None:
    """Look for it once in the life of the process, as for the sandbox itself."""
    program, *rest = command
    if program == "{python}":
        return Runner((sys.executable, *rest), (), LIMITS)
    place = shutil.which(program)
    if place is None or not asyncio.run(sandbox.available()):
        return None
    # Itself only: what lies beside it may be the user's home.
    path = Path(place).resolve()
    found = Runner((str(path), *rest), (str(path),), WIDE)
    # A launcher that stands for many programs has another name, and its own version.
    outcome = asyncio.run(found.run(("--version",), {})) if path.name.startswith(program) else None
    if outcome is not None and outcome.passed:
        return found
    log.info("%s does not start in the sandbox, so it runs no examples", program)
    return None
