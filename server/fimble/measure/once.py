"""``fimble complete FILE:LINE:COLUMN``: one completion for scripts, through the real feature."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fimble.engine.base import Engine
from fimble.engine.messages import State
from fimble.errors import FimbleError
from fimble.features.complete import Completion, Reason, complete
from fimble.launch import make_engine
from fimble.settings import DEFAULTS, Settings, load_files, read
from fimble.source.languages import Languages
from fimble.source.positions import Encoding, offset_at
from fimble.source.text import Snapshot


def complete_once(place: str, *, model: str | None, as_json: bool) -> int:
    """Print the suggestion at ``place``; 0 if there is one, 1 if not (the reason on stderr)."""
    path, line, column = read_place(place)
    languages = Languages.load()
    language = languages.for_document("", str(path))
    snapshot = Snapshot.open(path.absolute().as_uri(), 0, language, read_text(path))
    snapshot = snapshot.parse(languages.grammar(language))
    offset = offset_at(snapshot, line - 1, column - 1, Encoding.UTF32)
    settings, problems = load_files(Path.cwd())
    for problem in problems:
        print(f"warning: {problem}", file=sys.stderr)
    if model is not None:
        settings, _ = read({"model": model}, settings)
    completion = asyncio.run(_complete(snapshot, offset, settings))
    if as_json:
        print(json.dumps(asdict(completion)))
    elif completion.text:
        print(completion.text)
    else:
        detail = f" ({completion.detail})" if completion.detail else ""
        print(f"nothing: {completion.reason}{detail}", file=sys.stderr)
    return 0 if completion.reason is Reason.SHOWN else 1


def read_place(place: str) -> tuple[Path, int, int]:
    """Take ``FILE:LINE:COLUMN`` apart; raises `FimbleError`."""
    file, _, rest = place.rpartition(":")[0].rpartition(":")
    column = place.rpartition(":")[2]
    if not (file and rest.isdecimal() and column.isdecimal() and int(rest) and int(column)):
        raise FimbleError(
            f"{place!r} is no place in a file.", "Write FILE:LINE:COLUMN; both count from 1."
        )
    return Path(file), int(rest), int(column)


def read_text(path: Path) -> str:
    """The file as an editor would show it; raises `FimbleError`."""
    try:
        return path.read_bytes().decode("utf-8-sig", "replace")
    except OSError as error:
        raise FimbleError(f"{path} cannot be read: {error.strerror}.") from error


async def _complete(snapshot: Snapshot, offset: int, settings: Settings) -> Completion:
    engine = await start_engine(settings)
    try:
        completion, _ = await complete(snapshot, offset, None, engine, settings)
    finally:
        await engine.close()
    return completion


def settings_of(chosen: Mapping[str, Any], model: str | None = None) -> Settings:
    """Return the defaults with what is chosen over them; raises `FimbleError` for a mistake."""
    settings, problems = read({**chosen, **({"model": model} if model else {})}, DEFAULTS)
    if problems:
        raise FimbleError(str(problems[0]))
    return settings


async def start_engine(settings: Settings) -> Engine:
    """A loaded engine, telling on stderr what goes on; raises the error that stopped it."""

    def report(fraction: float, stage: str) -> None:
        if sys.stderr.isatty():
            print(f"\r{stage}: {fraction:.0%}\033[K", end="", file=sys.stderr, flush=True)

    engine = await make_engine(settings, report)
    try:
        return await settled(engine)
    finally:
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)


async def settled(engine: Engine) -> Engine:
    """Start an engine and wait until it answers; raises the error that stopped it."""
    event = asyncio.Event()
    engine.on_status(
        lambda status: event.set() if status.state in {State.READY, State.FAILED} else None
    )
    engine.start()
    await event.wait()
    if engine.status.state is State.FAILED:
        await engine.close()
        raise engine.status.error or FimbleError("The model could not be loaded.")
    return engine
