"""Running ``pip download`` as a child process: pip knows the user's index, proxy and mirror."""

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from fimble.models.background import SourceFailed

PIP: Final = (sys.executable, "-P", "-m", "pip")
POLL_SECONDS: Final = 0.1
REASON_CHARACTERS: Final = 160


def run_pip(
    requirement: str,
    folder: Path,
    tick: Callable[[int], None],
    patience_s: float,
    *,
    command: Sequence[str] = PIP,
) -> None:
    """Download the wheel of ``requirement`` into ``folder``; nothing is installed or executed.

    ``tick`` gets the bytes so far and stops pip by raising. Raises `SourceFailed` when pip
    fails or when nothing has come for ``patience_s`` seconds.
    """
    arguments = [
        *command,
        "download",
        "--no-deps",
        # A source package would run its build script.
        "--only-binary=:all:",
        # The cache would keep a second copy of the model.
        "--no-cache-dir",
        "--no-input",
        "--quiet",
        "--disable-pip-version-check",
        "--retries=1",
        f"--dest={folder}",
        requirement,
    ]
    # pip downloads to the temporary directory first: there the bytes can be counted, and the
    # system's own may be small.
    environment = os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    log = folder / "pip.log"
    with log.open("wb") as output, _start(arguments, environment, output) as process:
        try:
            _wait(process, folder, tick, patience_s)
        finally:
            process.kill()
    if process.returncode != 0:
        raise SourceFailed(pip_reason(log.read_text("utf-8", "replace")))


def _start(
    arguments: Sequence[str], environment: Mapping[str, str], output: BinaryIO
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            arguments,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        raise SourceFailed(f"pip cannot be started ({error.strerror or error})") from error


def _wait(
    process: subprocess.Popen[bytes],
    folder: Path,
    tick: Callable[[int], None],
    patience_s: float,
) -> None:
    best = 0
    changed = time.monotonic()
    while True:
        try:
            process.wait(timeout=POLL_SECONDS)
        except subprocess.TimeoutExpired:
            size = _downloaded(folder)
            if size > best:
                best, changed = size, time.monotonic()
            if time.monotonic() - changed > patience_s:
                raise SourceFailed(f"pip brought nothing for {patience_s:g} seconds") from None
            tick(best)
        else:
            return


def _downloaded(folder: Path) -> int:
    """Return the size of the biggest file below the folder: the wheel under way."""
    sizes = [0]
    for directory, _, names in os.walk(folder):
        for name in names:
            try:
                sizes.append((Path(directory) / name).stat().st_size)
            except FileNotFoundError:  # pip moved it meanwhile
                continue
    return max(sizes)


def pip_reason(log: str) -> str:
    """Pick from pip's output what went wrong; a full disk is raised as the `OSError` it was."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    if any("No module named pip" in line for line in lines):
        return "pip is not installed in this Python"
    if any("No space left on device" in line for line in lines):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    if any("No matching distribution" in line for line in errors):
        return "the package index cannot be reached or does not have it"
    if not errors and not lines:
        return "pip failed without a word"
    return f"pip failed: {(errors or lines)[-1][:REASON_CHARACTERS]}"
