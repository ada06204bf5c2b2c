"""Runs a row's test in a child process."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from typing import Final

SECONDS: Final = 4
"""HumanEval's tests take milliseconds; its authors allow 3 seconds."""
MEGABYTES: Final = 1024


def passes(program: str) -> bool:
    """Tell whether a Python program ends without an error within limits of time and memory.

    It runs in an empty folder, without the user's environment and packages. That keeps mistakes
    of a model in bounds and is no protection from malice.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-S", "-"],
                input=program.encode(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=SECONDS + 1,
                cwd=folder,
                env={},
                check=False,
                preexec_fn=_limit,
            )
        except subprocess.TimeoutExpired:
            return False
    return done.returncode == 0


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    size = MEGABYTES * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
