"""A Neovim of the tests: driven by its own RPC, its screen followed frame by frame."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import sys
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from frames import Frame, Grid, frame_of

PLUGIN = Path(__file__).parents[2] / "editors" / "neovim"
TIMEOUT_S = 90
"""Long enough for slow machines: measuring one takes up to half a minute, starting as long."""
WIDTH, HEIGHT = 76, 18

INIT = """
vim.g.loaded_python3_provider = 0
vim.o.termguicolors = true
vim.o.swapfile = false
vim.o.showmode = false
vim.o.ruler = false
vim.o.shortmess = vim.o.shortmess .. 'IcW'
vim.o.completeopt = 'menuone,noselect'
vim.o.laststatus = 2
vim.o.statusline = "%t %= %{%v:lua.require('fimble').statusline()%} "
vim.opt.runtimepath:prepend(PLUGIN)
vim.cmd.colorscheme('habamax')
vim.api.nvim_set_hl(0, 'Normal', { fg = '#d7dae0', bg = '#1e2127' })
vim.api.nvim_set_hl(0, 'FimbleSuggestion', { fg = GHOST })
-- Neovim 0.12 draws suggestions itself, in this colour.
vim.api.nvim_set_hl(0, 'ComplHint', { fg = GHOST })
vim.api.nvim_create_autocmd('User', {
  pattern = 'Fimble*',
  callback = function(event)
    vim.rpcnotify(0, 'fimble', event.match, event.data or vim.empty_dict())
  end,
})
vim.cmd.filetype('plugin on')
vim.cmd.syntax('on')
"""


class NeovimError(Exception):
    """What Neovim says went wrong."""


@dataclass(slots=True)
class Neovim:
    """One running Neovim. Whatever it sends wakes up those who wait in `until`."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    grid: Grid = field(default_factory=Grid)
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    _waiting: dict[int, asyncio.Future[Any]] = field(default_factory=dict)
    _last_id: int = 0
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self) -> None:
        """Handle messages until Neovim leaves."""
        import msgpack  # noqa: PLC0415  (installed by the tests)

        unpacker = msgpack.Unpacker(raw=False, strict_map_key=False, unicode_errors="replace")
        while chunk := await self.reader.read(65536):
            unpacker.feed(chunk)
            for message in unpacker:
                self._handle(message)
            self.wake()

    def wake(self) -> None:
        self._arrived.set()

    def _handle(self, message: list[Any]) -> None:
        match message:
            case [1, identity, error, result]:
                waiting = self._waiting.pop(identity)
                if waiting.cancelled():
                    return
                if error is None:
                    waiting.set_result(result)
                else:
                    waiting.set_exception(NeovimError(error[1]))
            case [2, "redraw", batches]:
                self.grid.redraw(batches)
            case [2, "fimble", [name, data]]:
                self.events.append((name, data))

    async def call(self, method: str, *arguments: Any) -> Any:
        """Call a function of Neovim's API."""
        import msgpack  # noqa: PLC0415

        self._last_id += 1
        future = asyncio.get_running_loop().create_future()
        self._waiting[self._last_id] = future
        self.writer.write(msgpack.packb([0, self._last_id, method, arguments]))
        try:
            return await asyncio.wait_for(future, TIMEOUT_S)
        except TimeoutError:
            screen = self.grid.frames[-1].text if self.grid.frames else "(nothing)"
            raise AssertionError(f"{method} hangs; the screen is\n{screen}") from None

    async def subscribe(self) -> None:
        """Get the events: Neovim 0.10 sends them to nobody else."""
        await self.call("nvim_subscribe", "fimble")

    async def lua(self, code: str, *arguments: Any) -> Any:
        """Run Lua; `...` are the arguments."""
        return await self.call("nvim_exec_lua", code, arguments)

    async def press(self, keys: str) -> None:
        """Press keys, in Neovim's notation, and forget what was heard before."""
        self.events.clear()
        del self.grid.frames[:-1]
        await self.call("nvim_input", keys)

    async def until(self, condition, what: str) -> None:
        """Wait until something that Neovim sends makes ``condition`` true."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                while not condition():
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            seen = self.grid.frames[-1:]
            screen = seen[0].text if seen else "(nothing)"
            ghost = seen[0].ghost if seen else ""
            raise AssertionError(f"never {what}, but {ghost!r}; the screen is\n{screen}") from None

    @property
    def frame(self) -> Frame:
        return self.grid.frames[-1]

    async def shows(self, ghost: str) -> None:
        """Wait until exactly this suggestion is on the screen."""
        await self.until(lambda: self.frame.ghost == ghost, f"showed {ghost!r}")

    async def hears(self, event: str) -> dict[str, Any]:
        """Wait for a user autocommand that came since the last `press`; return its data."""
        names = lambda: [name for name, _ in self.events]  # noqa: E731
        await self.until(lambda: event in names(), f"heard {event}")
        return next(data for name, data in self.events if name == event)

    async def text(self) -> str:
        """Return the text of the current buffer."""
        return "\n".join(await self.call("nvim_buf_get_lines", 0, 0, -1, True))

    async def cursor(self) -> tuple[int, int]:
        """Return the cursor's line, from 1, and its column in bytes, from 0."""
        line, column = await self.call("nvim_win_get_cursor", 0)
        return line, column

    async def edit(self, path: Path) -> None:
        """Open a file and wait until the server has it and is idle."""
        await self.call("nvim_cmd", {"cmd": "edit", "args": [str(path)]}, {})
        await self.idle()

    async def idle(self) -> None:
        """Wait until the server has nothing left to do for the current buffer."""
        problem = await self.lua(
            """
            local function clients()
              return vim.lsp.get_clients({ name = 'fimble', bufnr = 0 })
            end
            vim.wait(20000, function() return clients()[1] and clients()[1].initialized end, 5)
            local client = clients()[1]
            if not client then return 'no client: ' .. vim.fn.execute('messages') end
            local call = require('fimble.client').call
            local answer, problem =
              call(client, 'request_sync', 'fimble/flush', vim.empty_dict(), 100000)
            return problem or (answer.err and answer.err.message) or vim.NIL
            """
        )
        assert problem is None, problem

    async def complain(self, text: str, about: str, message: str, code: str) -> None:
        """Say like a linter that something is wrong with the first word of ``about``."""
        before = text[: text.index(about)]
        start = len(before.rpartition("\n")[2].encode())
        word = re.match(r"\w+", about)
        complaint = {
            "lnum": before.count("\n"),
            "col": start,
            "end_col": start + len(word[0].encode()),
            "message": message,
            "code": code,
            "severity": 1,
        }
        set_it = "vim.diagnostic.set(vim.api.nvim_create_namespace('linter'), 0, { ... })"
        await self.lua(set_it, complaint)

    async def choose_action(self, title: str, picture: Path) -> None:
        """Choose a code action from the menu that a user sees."""
        await self.press("<Cmd>lua vim.lsp.buf.code_action()<CR>")
        await self.until(lambda: f": {title}" in self.frame.text, f"offered {title!r}")
        self.frame.save(picture.with_stem(f"{picture.stem}-menu"))
        line = next(line for line in self.frame.lines if f": {title}" in line)
        await self.press(f"{line.partition(':')[0].strip()}<CR>")

    async def messages(self) -> str:
        return str(await self.call("nvim_exec2", "messages", {"output": True}))


def init_file(folder: Path, options: str) -> Path:
    """Write the configuration; ``options`` is the table that `setup` gets."""
    from frames import GHOST  # noqa: PLC0415

    head = f"local PLUGIN, GHOST = {json.dumps(str(PLUGIN))}, '{GHOST}'\n"
    path = folder / "init.lua"
    path.write_text(head + INIT + f"require('fimble').setup({options})\n", encoding="utf-8")
    return path


def server_options(*arguments: str, more: str = "") -> str:
    """Return options that start this very Fimble."""
    return program_options("-m", "fimble", "serve", *arguments, more=more)


def program_options(*arguments: str, more: str = "") -> str:
    """Return options that start a server by Python with these arguments."""
    words = [sys.executable, "-P", *arguments]
    return "{ cmd = { " + ", ".join(json.dumps(word) for word in words) + " }, " + more + " }"


@asynccontextmanager
async def embedded(binary: Path, init: Path, environment, arguments=()):
    """Start a Neovim without a terminal, whose frames are seen exactly."""
    process = await asyncio.create_subprocess_exec(
        str(binary),
        "--embed",
        "--clean",
        "-u",
        str(init),
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment,
        cwd=init.parent,
    )
    editor = Neovim(process.stdout, process.stdin)
    listening = asyncio.create_task(editor.listen())
    try:
        await editor.subscribe()
        await editor.call("nvim_ui_attach", WIDTH, HEIGHT, {"ext_linegrid": True, "rgb": True})
        await editor.until(lambda: editor.grid.frames, "drew its screen")
        yield editor
    finally:
        await _leave(editor, listening)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), TIMEOUT_S)
        if process.returncode is None:
            process.kill()
            await process.wait()
        process._transport.close()


async def _leave(editor: Neovim, listening: asyncio.Task[None]) -> None:
    # Neovim does not answer this.
    leaving = asyncio.create_task(editor.call("nvim_command", "qall!"))
    await asyncio.wait([listening], timeout=TIMEOUT_S)
    for task in (leaving, listening):
        task.cancel()
        with suppress(asyncio.CancelledError, NeovimError, ConnectionError):
            await task


class Terminal(Grid):
    """A terminal with Neovim in it, seen as a person sees it; a frame for each piece of output."""

    def __init__(self, descriptor: int) -> None:
        import pyte  # noqa: PLC0415  (installed by the tests)

        super().__init__()
        self._descriptor = descriptor
        self._screen = pyte.Screen(WIDTH, HEIGHT)
        self._stream = pyte.ByteStream(self._screen)

    def read(self) -> bool:
        """Take what has arrived; False at the end."""
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:
            return False
        self._stream.feed(data)
        self.frames.append(frame_of(self._screen))
        return bool(data)


@asynccontextmanager
async def in_terminal(binary: Path, init: Path, environment, arguments=()):
    """Start a Neovim in a terminal, and wait until it is up."""
    socket = init.parent / "nvim.sock"
    ours, theirs = pty.openpty()
    import fcntl  # noqa: PLC0415
    import struct  # noqa: PLC0415
    import termios  # noqa: PLC0415

    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    process = await asyncio.create_subprocess_exec(
        str(binary),
        "--clean",
        "-u",
        str(init),
        # With --listen, it would take orders before it has read its configuration.
        "--cmd",
        f"autocmd VimEnter * call serverstart('{socket}') | redraw!",
        *arguments,
        stdin=theirs,
        stdout=theirs,
        env=environment,
        cwd=init.parent,
        start_new_session=True,
    )
    os.close(theirs)
    loop = asyncio.get_running_loop()
    terminal = Terminal(ours)
    reached = asyncio.Event()
    editor: Neovim | None = None

    def on_output() -> None:
        if not terminal.read():
            loop.remove_reader(ours)
        reached.set()
        if editor is not None:
            editor.wake()

    loop.add_reader(ours, on_output)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            while not socket.exists():
                reached.clear()
                await reached.wait()
        reader, writer = await asyncio.open_unix_connection(str(socket))
        editor = Neovim(reader, writer, grid=terminal)
        listening = asyncio.create_task(editor.listen())
        try:
            await editor.subscribe()
            yield editor
        finally:
            await _leave(editor, listening)
            writer.close()
        await asyncio.wait_for(process.wait(), TIMEOUT_S)
    finally:
        loop.remove_reader(ours)
        os.close(ours)
        if process.returncode is None:
            process.kill()
            await process.wait()
