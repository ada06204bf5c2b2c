"""From settings to an engine: find or fetch the model, look up its profile, name a worker.

This is where the rooms `models` and `engine`, which do not know each other, are put together.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from threading import Event
from typing import Final

import msgspec

from fimble.engine.base import Engine
from fimble.engine.client import EngineConfig, WorkerEngine
from fimble.engine.messages import Keep, Overrides, Profile
from fimble.engine.scripted import Script, ScriptedEngine
from fimble.errors import ModelError, ModelMissing
from fimble.models import profile as profiles
from fimble.models.store import open_store
from fimble.settings import Settings

log = logging.getLogger(__name__)

Report = Callable[[float, str], None]
"""Takes a fraction from 0 to 1 and two words about what goes on; from any thread."""

MEGABYTE: Final = 1_000_000
LAYOUT_VERSION: Final = 1
"""Raise when `prompt` lays prompts out otherwise: KV state on disk then makes way for new."""
CHECKING: Final = "looking for the model"


class ModelLauncher:
    """Makes real engines; the server's `Launcher`."""

    async def launch(self, settings: Settings, report: Report) -> Engine:
        """Return what `make_engine` does; before that, remove from disk what may not be there."""
        if settings.cache.disk_megabytes == 0:
            await asyncio.to_thread(clear_kv)
        return await make_engine(settings, report)

    async def has_model(self, settings: Settings) -> bool:
        """Say whether the model's file is here, without downloading it."""
        return await asyncio.to_thread(has_model, settings)


class ScriptLauncher:
    """Makes engines that answer from a script, for tests and for authors of clients."""

    def __init__(self, script: Script) -> None:
        self._script = script

    async def launch(self, settings: Settings, report: Report) -> Engine:
        """Return a scripted engine at once."""
        del settings, report
        return ScriptedEngine(self._script)

    async def has_model(self, settings: Settings) -> bool:
        """Say yes: a script needs no model."""
        del settings
        return True


async def make_engine(settings: Settings, report: Report) -> Engine:
    """Return an engine for ``settings.model``, downloading the model if need and leave be.

    Raises the `ModelError` that says what to do. Cancelling stops the download within a second
    and keeps what was downloaded.
    """
    report(0.0, CHECKING)
    stopped = Event()
    try:
        path = await asyncio.to_thread(obtain_model, settings, report, stopped)
    except asyncio.CancelledError:
        stopped.set()
        raise
    return WorkerEngine(config_for(path, settings))


def find_model(settings: Settings) -> Path:
    """The model's file; raises a `ModelError` if it is not here.

    The file that `fimble models optimize` made of it takes its place where it is faster.
    """
    store = open_store()
    find = store.fastest if settings.optimize == "auto" else store.resolve
    return find(settings.model)


def has_model(settings: Settings) -> bool:
    """Whether the model's file is here; blocks for a look at the disk."""
    try:
        open_store().resolve(settings.model)
    except (ModelError, OSError):
        return False
    return True


def obtain_model(settings: Settings, report: Report, stopped: Event) -> Path:
    """The model's file, fetched where the settings allow; blocks."""
    try:
        return find_model(settings)
    except ModelMissing:
        if not settings.download.auto:
            raise
    # Imported late: most starts find the model and need none of the downloading.
    from fimble.models.fetch import fetch  # noqa: PLC0415

    store = open_store()
    fetch(
        store,
        store.find(settings.model),
        progress=lambda done, total, stage: report(done / max(total, 1), stage),
        cancelled=stopped.is_set,
    )
    return find_model(settings)


def config_for(model: Path, settings: Settings) -> EngineConfig:
    """How to run the model here: what the settings fix, and what was measured before."""
    chosen = settings.engine
    key = profiles.profile_key(model)
    return EngineConfig(
        model=model,
        overrides=Overrides(
            n_gpu_layers=chosen.gpu_layers,
            n_threads=chosen.threads,
            n_ctx=chosen.context_size,
            flash_attention=chosen.flash_attention,
        ),
        keep=Keep(
            directory=str(kv_directory()),
            ram_bytes=settings.cache.ram_megabytes * MEGABYTE,
            disk_bytes=settings.cache.disk_megabytes * MEGABYTE,
            layout=LAYOUT_VERSION,
        ),
        load_profile=lambda: _load_profile(key),
        save_profile=lambda profile: _save_profile(key, profile),
    )


def kv_directory() -> Path:
    """Where KV state is kept on disk."""
    return profiles.cache_directory() / "kv"


def clear_kv() -> None:
    """Remove the KV state on disk: it holds the text of files.

    The directories stay, for another server may be writing to them. No link is followed.
    """
    directory = kv_directory()
    if directory.is_symlink():
        log.warning("KV state is not removed from disk: its directory is a link")
        return
    try:
        for folder, _, names in os.walk(directory):
            for name in names:
                Path(folder, name).unlink(missing_ok=True)
    except OSError as error:
        log.warning("KV state cannot be removed from disk: %s", error.strerror)


def _load_profile(key: str) -> Profile | None:
    try:
        return msgspec.convert(profiles.load(key), Profile | None)
    except msgspec.ValidationError:
        return None  # of an older version: measured again


def _save_profile(key: str, profile: Profile) -> None:
    try:
        profiles.save(key, asdict(profile))
    except OSError as error:
        log.warning("the measured profile cannot be kept: %s", error)
