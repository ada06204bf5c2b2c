"""Whether code may be run in the sandbox: what the settings say, else what the user answered.

The question is asked once for each workspace, when an answer would first be of use, and what was
answered is kept in the cache directory. A workspace cannot answer for itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from fimble.protocol.indexing import root_of
from fimble.protocol.logs import logger

if TYPE_CHECKING:
    from fimble.protocol.server import FimbleServer

QUESTION: Final = (
    "Fimble can run examples and tests in a sandbox to choose the best answer."
    " Allow that for this workspace?"
)
ALLOW: Final = "Allow"
NOT_NOW: Final = "Not now"
NEVER: Final = "Never"
ANSWER_SECONDS: Final = 20.0
"""How long an action waits for the answer; then it goes on without, and the next one has it."""


class Permissions:
    """What was answered, by workspace folder; ``directory`` is where that is kept, if anywhere."""

    def __init__(self, directory: Path | None, seconds: float = ANSWER_SECONDS) -> None:
        self._directory = directory
        self._seconds = seconds
        self._answers: dict[Path, bool] = {}
        self._asked: dict[Path, tuple[float, asyncio.Task[bool]]] = {}

    async def may_run(self, ls: FimbleServer, uri: str) -> bool:
        """Tell whether code may be run for a document; asks where nobody has said so yet."""
        from fimble.features.examples import can_shut_in  # noqa: PLC0415  (not at the start)

        wanted = ls.session.settings.verify.execute
        root = root_of(ls, uri)
        if wanted == "never" or not await can_shut_in():
            return False
        if wanted == "always":
            return True
        if root is None:
            return False
        if root not in self._answers and (known := await asyncio.to_thread(self._load, root)):
            self._answers[root] = known == ALLOW
        if root in self._answers:
            return self._answers[root]
        return await self._answer(ls, root)

    def close(self) -> None:
        """Wait for no answer any more."""
        for _, question in self._asked.values():
            question.cancel()

    async def _answer(self, ls: FimbleServer, root: Path) -> bool:
        """Wait for the answer, but not for ever: the user waits for something else."""
        if root not in self._asked:
            last = asyncio.get_running_loop().time() + self._seconds
            self._asked[root] = last, asyncio.create_task(self._ask(ls, root))
        last, question = self._asked[root]
        try:
            async with asyncio.timeout_at(last):
                return await asyncio.shield(question)
        except TimeoutError:
            return False

    async def _ask(self, ls: FimbleServer, root: Path) -> bool:
        """Ask, and keep what counts for longer than this session."""
        actions = [types.MessageActionItem(one) for one in (ALLOW, NOT_NOW, NEVER)]
        params = types.ShowMessageRequestParams(types.MessageType.Info, QUESTION, actions)
        try:
            answer = await ls.window_show_message_request_async(params)
        except JsonRpcException:
            answer = None
        title = NOT_NOW if answer is None else answer.title
        self._answers[root] = title == ALLOW
        if title in {ALLOW, NEVER}:
            await asyncio.to_thread(self._keep, root, title)
        return title == ALLOW

    def _load(self, root: Path) -> str:
        """Return what was answered in an earlier session, or ""."""
        file = self._file(root)
        try:
            kept = "" if file is None else file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return ""
        return kept if kept in {ALLOW, NEVER} else ""

    def _keep(self, root: Path, title: str) -> None:
        """Write it where only the user may read and write."""
        file = self._file(root)
        if file is None:
            return
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
                opened.write(f"{title}\n")
        except OSError as error:
            logger.warning("an answer could not be kept: %s", type(error).__name__)

    def _file(self, root: Path) -> Path | None:
        name = hashlib.sha256(os.fsencode(root)).hexdigest()[:32]
        return None if self._directory is None else self._directory / name
