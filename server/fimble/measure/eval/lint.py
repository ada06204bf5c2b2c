"""Ruff as the judge: what it finds in files, for rows and for what became of them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fimble.errors import FimbleError
from fimble.source.languages import PLAIN
from fimble.source.positions import Encoding, offset_at
from fimble.source.text import Snapshot

CONFIGURATION: Final = '[lint]\nselect = ["{}"]\n'
"""What stands in the workspace's ruff.toml, so that the server's checker looks for the same."""
SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Found:
    """A diagnostic: offsets in the file, and lines from 0."""

    code: str
    message: str
    start: int
    end: int
    line: int
    end_line: int


def linted(files: Mapping[str, str], rules: str) -> dict[str, list[Found]]:
    """Return what ruff finds in files, by their paths; raises `FimbleError` without ruff."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8", newline="")
        told = _run(folder, rules)
    found: dict[str, list[Found]] = {}
    for one in told:
        path = Path(one["filename"]).relative_to(folder).as_posix()
        found.setdefault(path, []).append(_found(files[path], one))
    return found


def _run(folder: Path, rules: str) -> list[dict[str, Any]]:
    ruff = shutil.which("ruff") or shutil.which("ruff", path=Path(sys.executable).parent)
    if ruff is None:
        raise FimbleError("These rows need ruff.", "Install it: pip install ruff.")
    choices = ("--isolated", "--no-cache", "--exit-zero", "--output-format=json")
    done = subprocess.run(
        (ruff, "check", "--quiet", *choices, f"--select={rules}", str(folder)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    try:
        answer: list[dict[str, Any]] = json.loads(done.stdout)
    except ValueError:
        raise FimbleError("Ruff does not answer.", done.stderr.decode(errors="replace")) from None
    return answer


def _found(text: str, told: Mapping[str, Any]) -> Found:
    snapshot = Snapshot.open("", 1, PLAIN, text)
    first, last = told["location"], told["end_location"]
    start, end = (
        offset_at(snapshot, place["row"] - 1, place["column"] - 1, Encoding.UTF32)
        for place in (first, last)
    )
    code = told["code"] or ""
    return Found(code, told["message"], start, end, first["row"] - 1, last["row"] - 1)
