"""The plugin and how its server's engine is: loading, crashed, down; all of it told, not asked."""

from pathlib import Path

import pytest
from neovim import embedded, init_file, program_options

SCENARIO = Path(__file__).parents[1] / "protocol" / "scenario.py"


@pytest.fixture
def open_scenario(open_editor, tmp_path):
    """Opens a Neovim whose server is one of the scenarios; the model's name is ``model``."""

    def make(scenario, model):
        settings = f"settings = {{ model = '{model}' }}"
        init = init_file(tmp_path, program_options(str(SCENARIO), scenario, more=settings))
        return open_editor(embedded, init)

    return make


async def test_a_download_shows_percent_in_the_status_line(open_scenario, tmp_path, screenshot):
    async with open_scenario("downloading", "big") as editor:
        await editor.press(f"<Cmd>edit {tmp_path}/shop.py<CR>")
        await editor.until(lambda: "Fimble 25%" in editor.frame.text, "showed how far it is")
        editor.frame.save(screenshot)
        data = await editor.hears("FimbleStatus")
        assert data["state"] == "loading"
        await editor.press("<Cmd>Fimble model small.gguf<CR>")
        await editor.until(lambda: status_line(editor) == "Fimble", "was ready")
        await editor.press("ix = ")
        await editor.shows("small.gguf")


async def test_a_crash_is_survived(open_scenario, tmp_path, screenshot):
    async with open_scenario("crashing", "sturdy") as editor:
        await editor.edit(tmp_path / "shop.py")
        await editor.press("icrash = ")
        await editor.until(lambda: "The model crashed." in editor.frame.text, "said so")
        editor.frame.save(screenshot)
        await editor.until(lambda: states(editor) == ["error", "ready"], "was ready again")
        await editor.press("<CR>y = ")
        await editor.shows("alive")
        await editor.press("<Tab>")
        await editor.shows("")
        assert await editor.text() == "crash = \ny = alive"
        await editor.press("<CR>die = ")
        await editor.until(lambda: status_line(editor) == "Fimble error", "showed that it is down")
        editor.frame.save(screenshot.with_stem("engine-down"))


async def test_a_server_that_has_ended_is_not_shown(open_scenario, tmp_path):
    async with open_scenario("crashing", "sturdy") as editor:
        await editor.edit(tmp_path / "shop.py")
        await editor.until(lambda: status_line(editor) == "Fimble", "was ready")
        await editor.press("<Cmd>lua vim.lsp.stop_client(vim.lsp.get_clients())<CR>")
        await editor.until(lambda: status_line(editor) == "", "showed nothing")
        assert states(editor) == ["off", ""]


def states(editor):
    """What was told of the server since the last key."""
    return [data["state"] for name, data in editor.events if name == "FimbleStatus"]


def status_line(editor):
    """What the status line says of Fimble."""
    line = next(line for line in reversed(editor.frame.lines) if "shop.py" in line)
    return line.partition("shop.py")[2].strip()
