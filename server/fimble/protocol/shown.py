"""Showing Markdown: as a document where the client can open one, else as a message."""

from __future__ import annotations

import asyncio
import os
import re
from typing import TYPE_CHECKING, Final

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from fimble.protocol.logs import logger

if TYPE_CHECKING:
    from pathlib import Path

    from fimble.protocol.server import FimbleServer

KEPT: Final = 16
"""Files that are kept to be looked at; older ones are removed."""


async def show(ls: FimbleServer, title: str, markdown: str) -> None:
    """Show a text to the user."""
    if not await _opened(ls, title, markdown):
        ls.window_show_message(types.ShowMessageParams(types.MessageType.Info, markdown))


async def _opened(ls: FimbleServer, title: str, markdown: str) -> bool:
    window = ls.client_capabilities.window
    can = window is not None and window.show_document is not None and window.show_document.support
    if not can or ls.cache_directory is None:
        return False
    try:
        path = await asyncio.to_thread(_write, ls.cache_directory / "shown", title, markdown)
    except OSError as error:
        logger.warning("a text to be shown could not be written: %s", type(error).__name__)
        return False
    params = types.ShowDocumentParams(uri=path.as_uri(), take_focus=True)
    try:
        return (await ls.window_show_document_async(params)).success
    except JsonRpcException:
        return False


def _write(directory: Path, title: str, markdown: str) -> Path:
    """Write a file that only the user may read, in place of the oldest."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = sorted(directory.glob("*.md"), key=lambda file: file.stat().st_mtime_ns)
    for old in files[: max(len(files) - KEPT + 1, 0)]:
        old.unlink(missing_ok=True)
    path = directory / f"{re.sub(r'[^A-Za-z0-9]+', '-', title).strip('-')[:40] or 'answer'}.md"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(f"{markdown}\n")
    return path
