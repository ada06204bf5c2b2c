"""Settings: read at initialize, pulled when initialized, and again whenever something changes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.uris import to_fs_path

from fimble import settings
from fimble.protocol import logs
from fimble.protocol.indexing import watched_globs

if TYPE_CHECKING:
    from fimble.errors import SettingsError
    from fimble.protocol.server import FimbleServer
    from fimble.settings import Settings

SECTION: Final = "fimble"
PULL_SECONDS: Final = 2.0


@dataclass(slots=True)
class Configuration:
    """Where settings come from, later ones win: files, ``options``, ``section``.

    ``options`` are the initializationOptions, ``section`` is what the client says of the section
    ``fimble``; both are raw JSON.
    """

    user_directory: Path | None = None
    root: Path | None = None
    options: object = None
    section: object = None

    def read(self) -> tuple[Settings, tuple[SettingsError, ...]]:
        """Read everything anew."""
        files, problems = settings.load_files(self.root, user_directory=self.user_directory)
        with_options, more = settings.read(self.options, files)
        result, most = settings.read(self.section, with_options)
        return result, (*problems, *more, *most)


def register(server: FimbleServer) -> None:
    """Add these handlers to the server."""
    server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)(did_change_configuration)
    server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)(did_change_watched_files)


async def did_change_configuration(
    ls: FimbleServer, params: types.DidChangeConfigurationParams
) -> None:
    """Take the new settings, or ask for them: most clients send none along."""
    if isinstance(params.settings, Mapping) and SECTION in params.settings:
        ls.configuration.section = params.settings[SECTION]
    else:
        await pull(ls)
    apply(ls)


def did_change_watched_files(ls: FimbleServer, params: types.DidChangeWatchedFilesParams) -> None:
    """Read the settings files again if one is among the files; the index looks at the others."""
    uris = [change.uri for change in params.changes]
    if any(uri.endswith(f"/{settings.FILE_NAME}") for uri in uris):
        apply(ls)
    ls.indexing.touched(uris)


def on_initialize(ls: FimbleServer, params: types.InitializeParams) -> None:
    """Read what there is before the client can be asked."""
    ls.configuration.root = _root(params)
    ls.configuration.options = _options(params.initialization_options)
    ls.session.configure(*ls.configuration.read())
    logs.set_level(ls.session.settings.log.level)


async def pull(ls: FimbleServer) -> None:
    """Ask the client for our section, if it can be asked."""
    workspace = ls.client_capabilities.workspace
    if not (workspace and workspace.configuration):
        return
    item = types.ConfigurationItem(section=SECTION)
    try:
        async with asyncio.timeout(PULL_SECONDS):
            answers = await ls.workspace_configuration_async(types.ConfigurationParams([item]))
    except (JsonRpcException, TimeoutError):
        logs.logger.warning("the client did not tell its settings; the ones at hand are used")
        return
    ls.configuration.section = answers[0] if answers else None


async def watch(ls: FimbleServer) -> None:
    """Ask to be told of changes, where the client lets itself be asked."""
    workspace = ls.client_capabilities.workspace
    wanted: list[types.Registration] = []
    if _is_dynamic(workspace and workspace.did_change_configuration):
        section: Any = types.DidChangeConfigurationRegistrationOptions(section=SECTION)
        wanted.append(_registration(types.WORKSPACE_DID_CHANGE_CONFIGURATION, section))
    if _is_dynamic(workspace and workspace.did_change_watched_files):
        globs = (f"**/{settings.FILE_NAME}", *watched_globs(ls))
        watchers = [types.FileSystemWatcher(glob_pattern=glob) for glob in globs]
        files: Any = types.DidChangeWatchedFilesRegistrationOptions(watchers=watchers)
        wanted.append(_registration(types.WORKSPACE_DID_CHANGE_WATCHED_FILES, files))
    if not wanted:
        return
    try:
        await ls.client_register_capability_async(types.RegistrationParams(wanted))
    except JsonRpcException:
        logs.logger.warning("the client does not tell when its settings change")


def apply(ls: FimbleServer) -> None:
    """Make the settings as they are now count, tell what is wrong, and bring up the model.

    The engine is launched at the first call, and again when a setting that it depends on has
    changed, or when there was something wrong with the model: that may have been mended.
    """
    before = ls.session.settings
    now, problems = ls.configuration.read()
    ls.session.configure(now, problems)
    logs.set_level(now.log.level)
    if now != before:
        ls.notices.forget()
    for problem in problems:
        ls.notices.show(problem, types.MessageType.Warning)
    if not ls.engine.was_launched or _for_engine(now) != _for_engine(before):
        ls.engine.launch(now)
    else:
        ls.engine.launch_again(now)
    ls.index_workspace()


def _for_engine(values: Settings) -> object:
    return (
        values.enabled,
        values.model,
        values.optimize,
        values.download,
        values.engine,
        values.cache,
    )


def _root(params: types.InitializeParams) -> Path | None:
    uri = params.workspace_folders[0].uri if params.workspace_folders else params.root_uri
    path = to_fs_path(uri) if uri else params.root_path
    return Path(path) if path else None


def _options(raw: object) -> object:
    """Return the settings among the initializationOptions: all but the token of ``--tcp``."""
    if not isinstance(raw, Mapping):
        return raw
    return {key: value for key, value in raw.items() if key != "token"}


def _is_dynamic(capability: Any) -> bool:
    return bool(capability and capability.dynamic_registration)


def _registration(method: str, options: Any) -> types.Registration:
    return types.Registration(id=f"fimble:{method}", method=method, register_options=options)
