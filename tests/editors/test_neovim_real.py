"""The plugin in a real Neovim with the real 0.5B model."""

import os
import signal
from pathlib import Path

import pytest
from frames import save_recording
from neovim import in_terminal, init_file, server_options

pytestmark = pytest.mark.real

TEXT = """import os


def read_lines(path):
    \"\"\"Return the lines of a text file without their newlines.\"\"\"

"""


@pytest.fixture
def real(open_editor, tmp_path, real_model):
    """Opens a Neovim with the real model."""
    settings = "settings = { engine = { threads = 2 } }"
    init = init_file(tmp_path, server_options(more=settings))
    return lambda: open_editor(in_terminal, init)


def kill_worker(pid):
    """Kill the model's process below the server with this process id."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for child in children:
        words = Path(f"/proc/{child}/cmdline").read_bytes()
        if b"fimble.engine.worker" in words:
            os.kill(int(child), signal.SIGKILL)
            return
    raise AssertionError("there is no worker")


async def test_open_type_accept_and_a_worker_that_is_killed(real, tmp_path, screenshot):
    file = tmp_path / "reader.py"
    file.write_text(TEXT)
    async with real() as editor:
        await editor.edit(file)
        states = [data for name, data in editor.events if name == "FimbleStatus"]
        assert any(data.get("percent") is not None for data in states), states
        await editor.press("GA    with open(")
        await editor.until(lambda: editor.frame.ghost, "showed a suggestion")
        await editor.hears("FimbleAnswered")
        editor.frame.save(screenshot)
        before, ghost = await editor.text(), (await editor.hears("FimbleShown"))["text"]
        await editor.press("<Tab>")
        accepted = await editor.hears("FimbleAccepted")
        assert accepted["text"] == ghost or ghost.endswith(accepted["text"])
        assert (await editor.text()).startswith(before + accepted["text"])
        await editor.press("<Esc>u")
        assert await editor.text() == before

        pid = await editor.lua(
            "return vim.system({'pgrep', '-P', tostring(vim.fn.getpid())}):wait().stdout"
        )
        await editor.press("<Ignore>")
        kill_worker(int(pid.split()[0]))
        assert (await editor.hears("FimbleStatus"))["state"] == "error"
        await editor.until(
            lambda: "crashed; it restarts in" in editor.frame.text, "said what happened"
        )
        # Neovim wants long messages confirmed.
        await editor.press("<CR>")
        await editor.idle()
        await editor.press("GA")
        await editor.until(lambda: editor.frame.ghost, "suggested with a new worker")


ADD = "def add(first, second):\n    return first "


async def test_typing_along_another_way_words_and_lines(real, tmp_path, screenshot):
    file = tmp_path / "sums.py"
    file.write_text("")
    async with real() as editor:
        await editor.edit(file)
        await editor.press(f"i{ADD}".replace("\n    ", "<CR>"))
        await editor.until(lambda: editor.frame.ghost.startswith("+ second"), "suggested the sum")
        await editor.press("+ sec")
        await editor.until(lambda: editor.frame.ghost.startswith("ond"), "followed what was typed")
        await editor.press("<BS><BS><BS><BS><BS>* ")
        await editor.until(lambda: not editor.frame.ghost.startswith("+"), "dropped the sum")
        await editor.press("<BS><BS>")
        await editor.until(lambda: editor.frame.ghost.startswith("+ second"), "came back to it")
        await editor.press("<M-Right>")
        await editor.hears("FimbleAccepted")
        await editor.until(lambda: editor.frame.ghost.startswith(" second"), "took a word")
        editor.frame.save(screenshot)
        await editor.press("<M-Down>")
        await editor.hears("FimbleAccepted")
        assert (await editor.text()).startswith(f"{ADD}+ second")


async def test_a_menu_and_text_beyond_ascii(real, tmp_path, screenshot):
    text = "# Größen 😀\ndef fläche(länge, höhe):"
    file = tmp_path / "größen.py"
    file.write_text(f"{text}\n")
    async with real() as editor:
        await editor.edit(file)
        await editor.press("Go<C-u>    return länge * h")
        await editor.until(lambda: editor.frame.ghost.startswith("öhe"), "suggested the word")
        await editor.press("<C-x><C-n>")
        is_open = "return vim.wait(2000, function() return vim.fn.pumvisible() == 1 end)"
        assert await editor.lua(is_open)
        await editor.until(lambda: editor.frame.ghost, "showed the suggestion beside it")
        editor.frame.save(screenshot)
        await editor.press("<C-e>")
        await editor.until(lambda: editor.frame.ghost.startswith("öhe"), "closed the menu")
        await editor.press("<Tab>")
        part = (await editor.hears("FimbleAccepted"))["text"]
        assert await editor.text() == f"{text}\n    return länge * h{part}"


async def test_a_pause_and_two_windows(real, tmp_path, screenshot):
    first, second = tmp_path / "first.py", tmp_path / "second.py"
    first.write_text(f"{ADD}\n")
    second.write_text(ADD.replace("add", "subtract") + "\n")
    async with real() as editor:
        await editor.edit(first)
        await editor.press("<Cmd>Fimble disable<CR>GA")
        await editor.until(lambda: "Fimble paused" in editor.frame.text, "said that it pauses")
        assert editor.frame.ghost == ""
        await editor.press("<Cmd>Fimble enable<CR>")
        await editor.until(lambda: editor.frame.ghost.startswith("+ second"), "went on")
        await editor.press(f"<Esc>:split {second}<CR>")
        await editor.idle()
        await editor.press("GA")
        await editor.until(lambda: editor.frame.ghost.startswith("- second"), "suggested there")
        editor.frame.save(screenshot)
        await editor.press("<Esc><C-w>jA")
        await editor.until(lambda: editor.frame.ghost.startswith("+ second"), "and here again")
        assert await editor.lua("return #vim.lsp.get_clients()") == 1


BROKEN = '''"""Sums of orders."""


def total(orders, rate):
    """The sum of all orders with the tax."""
    result = 0
    for order in orders:
        if order.cancelled:
            continue
        result += order.price * order.count
    tax = result * rate
    return result + taxes
'''


async def test_a_quick_fix(real, tmp_path, screenshot):
    file = tmp_path / "orders.py"
    file.write_text(BROKEN)
    async with real() as editor:
        await editor.edit(file)
        await editor.press("G")
        await editor.complain(BROKEN, "taxes", "undefined name 'taxes'", "F821")
        await editor.choose_action("Fix: undefined name 'taxes'", screenshot)
        await editor.until(lambda: "result + tax\n" in editor.frame.text, "applied the fix")
        editor.frame.save(screenshot)
        assert f"{await editor.text()}\n" == BROKEN.replace("taxes", "tax")


async def test_a_comment_becomes_a_function(real, tmp_path, screenshot):
    file = tmp_path / "numbers.py"
    file.write_text("# A function is_even(n) that tells whether a number is even\n")
    async with real() as editor:
        await editor.edit(file)
        await editor.choose_action("Write what this comment describes", screenshot)
        await editor.until(lambda: "def is_even(n" in editor.frame.text, "wrote the function")
        editor.frame.save(screenshot)
        names = {}
        exec(await editor.text(), names)  # noqa: S102  (a pinned model, greedy)
        assert [names["is_even"](number) for number in (3, 4)] == [False, True]


KEY_MS, READ_MS = 110, 1400
"""How long the recording shows a key press, and a suggestion that is to be read."""


async def test_recording(real, tmp_path, media):
    file = tmp_path / "reader.py"
    file.write_text(TEXT)
    shots = []
    async with real() as editor:

        def shoot(milliseconds):
            shots.append((editor.frame.picture(), milliseconds))

        await editor.edit(file)
        await editor.press("GA")
        for key in "    with open(":
            await editor.press(key)
            await editor.hears("FimbleAnswered")
            shoot(KEY_MS)
        await editor.until(lambda: editor.frame.ghost, "showed a suggestion")
        shoot(READ_MS)
        for keys in ("<M-Right>", "<Tab>"):
            ghost = editor.frame.ghost
            await editor.press(keys)
            # The screen comes a moment after the event.
            await editor.until(lambda g=ghost: editor.frame.ghost != g, "drew what was accepted")
            shoot(READ_MS)
    save_recording(media / "neovim.gif", shots)
