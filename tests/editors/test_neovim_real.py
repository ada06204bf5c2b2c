"""The plugin in a real Neovim with the real 0.5B model."""

import os
import shutil
import signal
from pathlib import Path

import pytest
from neovim import in_terminal, init_file, server_options

from fimble.errors import ModelError
from fimble.models.store import open_store

pytestmark = pytest.mark.real
ROOT = Path(__file__).parents[2]

TEXT = """import os


def read_lines(path):
    \"\"\"Return the lines of a text file without their newlines.\"\"\"

"""


@pytest.fixture
def real(nvim, tmp_path, environment):
    """The arguments that start a Neovim with the real model."""
    try:
        open_store().resolve("qwen2.5-coder-0.5b")
    except ModelError as error:
        pytest.skip(f"no real model: {error}")
    shutil.rmtree(environment["FIMBLE_CACHE_DIR"], ignore_errors=True)
    settings = "settings = { engine = { threads = 2 } }"
    return nvim, init_file(tmp_path, server_options(more=settings)), environment


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
    async with in_terminal(*real) as editor:
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
        kill_worker(int(pid.split()[0]))
        await editor.until(lambda: "restarts by itself" in editor.frame.text, "said what happened")
        # Neovim wants long messages confirmed.
        await editor.press("<CR>")
        await editor.idle()
        await editor.press("GA")
        await editor.until(lambda: editor.frame.ghost, "suggested with a new worker")


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
    async with in_terminal(*real) as editor:
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
    async with in_terminal(*real) as editor:
        await editor.edit(file)
        await editor.choose_action("Write what this comment describes", screenshot)
        await editor.until(lambda: "def is_even(n" in editor.frame.text, "wrote the function")
        editor.frame.save(screenshot)
        names = {}
        exec(await editor.text(), names)  # noqa: S102  (a pinned model, greedy)
        assert [names["is_even"](number) for number in (3, 4)] == [False, True]


KEY_MS, READ_MS = 110, 1400
"""How long the recording shows a key press, and a suggestion that is to be read."""


async def test_recording(real, tmp_path):
    file = tmp_path / "reader.py"
    file.write_text(TEXT)
    shots = []
    async with in_terminal(*real) as editor:

        def shoot(milliseconds):
            shots.append((editor.frame.picture().quantize(64), milliseconds))

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
    folder = ROOT / "build" / "media"
    folder.mkdir(parents=True, exist_ok=True)
    pictures, durations = zip(*shots, strict=True)
    pictures[0].save(
        folder / "neovim.gif",
        save_all=True,
        append_images=pictures[1:],
        duration=list(durations),
        loop=0,
    )
