"""The plugin in a real Neovim with a scripted model: exact text, and every frame on the way."""

import json
from contextlib import asynccontextmanager

import pytest
from neovim import embedded, in_terminal, init_file, server_options

SCRIPT = {
    "def area(": "width, height):\n    return width * height",
    "total = ": "sum(prices)",
    "x = f(": "alpha, beta)",
    "größe = ": "länge * höhe  # ä",
    "other = ": "second_window()",
}


@pytest.fixture
def start(nvim, tmp_path, environment):
    """Starts a Neovim with a file in it, in insert mode at its end."""

    @asynccontextmanager
    async def make(text="", *, options="", lua="", **more):
        script = tmp_path / "script.json"
        script.write_text(json.dumps({"answers": SCRIPT} | more))
        init = init_file(tmp_path, server_options("--scripted", str(script), more=options))
        init.write_text(init.read_text() + lua)
        file = tmp_path / "shop.py"
        file.write_text(f"{text}\n")
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


async def test_diverging_hides_at_once(start, screenshot):
    async with start() as editor:
        await editor.press("total = ")
        await editor.shows("sum(prices)")
        await editor.press("max")
        await editor.hears("FimbleHidden")
        await editor.shows("")
        assert all("sum" not in frame.text for frame in editor.grid.frames[1:])
        editor.frame.save(screenshot)
        assert await editor.text() == "total = max"


async def test_words_are_accepted_one_by_one(start, screenshot):
    async with start() as editor:
        await editor.press("def area(")
        await editor.shows("width, height):\n    return width * height")
        texts = []
        for ghost in (", height):", " height):", "):", "", " width * height"):
            await editor.press("<M-Right>")
            await editor.until(lambda g=ghost: editor.frame.ghost.startswith(g), f"showed {ghost}")
            texts.append((await editor.text()).removeprefix("def area("))
            if ghost == " height):":
                editor.frame.save(screenshot)
        assert texts == [
            "width",
            "width,",
            "width, height",
            "width, height):",
            "width, height):\n    return",
        ]


async def test_lines_are_accepted_one_by_one(start):
    async with start() as editor:
        await editor.press("def area(")
        await editor.shows("width, height):\n    return width * height")
        await editor.press("<M-Down>")
        await editor.shows("    return width * height")
        assert await editor.text() == "def area(width, height):"
        await editor.press("<M-Down>")
        await editor.shows("")
        assert await editor.text() == "def area(width, height):\n    return width * height"


async def test_tab_falls_through_when_nothing_is_shown(start):
    async with start(lua="vim.o.expandtab = true; vim.o.shiftwidth = 4; vim.o.softtabstop = 4") as (
        editor
    ):
        await editor.press("<Tab>y")
        await editor.hears("FimbleAnswered")
        assert await editor.text() == "    y"


async def test_tab_does_what_it_was_mapped_to_before(start, tmp_path):
    async with start() as editor:
        await editor.lua(
            """
            vim.keymap.set('i', '<Tab>', function() return 'mapped' end, { expr = true })
            require('fimble.keys').map({ accept = '<Tab>' })
            """
        )
        await editor.press("<Tab> total = ")
        await editor.shows("sum(prices)")
        await editor.press("<Tab>")
        await editor.shows("")
        assert await editor.text() == "mapped total = sum(prices)"


async def test_keys_typed_right_behind_tab_come_behind_the_suggestion(start):
    async with start() as editor:
        await editor.press("total = ")
        await editor.shows("sum(prices)")
        await editor.press("<Tab> + 1")
        await editor.shows("")
        assert await editor.text() == "total = sum(prices) + 1"


async def test_undo_takes_back_exactly_what_was_accepted(start):
    async with start("import os\n") as editor:
        await editor.press("total = ")
        await editor.shows("sum(prices)")
        await editor.press("<Tab>")
        await editor.hears("FimbleAccepted")
        await editor.press("  # all<Esc>")
        assert await editor.text() == "import os\ntotal = sum(prices)  # all"
        await editor.press("u")
        assert await editor.text() == "import os\ntotal = sum(prices)"
        await editor.press("u")
        assert await editor.text() == "import os\ntotal = "
        await editor.press("<C-r>")
        assert await editor.text() == "import os\ntotal = sum(prices)"


async def test_a_menu_beside_the_suggestion_keeps_tab(start, screenshot):
    async with start("sumptuous = 1\nsummit = 2\n") as editor:
        await editor.press("total = ")
        await editor.shows("sum(prices)")
        await editor.press("su<C-x><C-n>")
        await editor.until(lambda: "summit" in editor.frame.lines[4], "showed the menu")
        await editor.until(lambda: "m(prices)" in editor.frame.lines[2], "showed the suggestion")
        editor.frame.save(screenshot)
        await editor.press("<C-n><C-y>")
        await editor.until(lambda: "  " not in editor.frame.lines[4], "closed the menu")
        assert (await editor.text()).splitlines()[2] in {"total = sumptuous", "total = summit"}


STAND_IN = """
package.loaded[PLUGIN_NAME] = { [FUNCTION] = function() return vim.g.menu == true end }
vim.keymap.set('i', '<Tab>', function() return 'chosen' end, { expr = true })
require('fimble.keys').map({ accept = '<Tab>' })
"""


@pytest.mark.parametrize(
    ("plugin", "function"), [("cmp", "visible"), ("blink.cmp", "is_menu_visible")]
)
async def test_the_menu_of_a_plugin_keeps_tab(start, plugin, function):
    """Stand-ins for nvim-cmp and blink.cmp, which do not come as packages: what they say counts."""
    async with start() as editor:
        await editor.lua(
            STAND_IN.replace("PLUGIN_NAME", f"'{plugin}'").replace("FUNCTION", f"'{function}'")
        )
        await editor.press("total = ")
        await editor.shows("sum(prices)")
        await editor.lua("vim.g.menu = true")
        await editor.press("<Tab>")
        assert await editor.text() == "total = chosen"
        await editor.lua("vim.g.menu = false")
        await editor.press("<C-w>")
        await editor.shows("sum(prices)")
        await editor.press("<Tab>")
        await editor.shows("")
        assert await editor.text() == "total = sum(prices)"


async def test_a_menu_can_hide_the_suggestion(start):
    async with start("sumptuous = 1\n", options="popup = 'hide'") as editor:
        await editor.press("total = ")
        await editor.shows("sum(prices)")
        await editor.press("su<C-x><C-n>")
        await editor.until(lambda: "sumptuous" in editor.frame.lines[2], "showed the menu")
        await editor.shows("")
        await editor.press("<C-e>")
        await editor.shows("m(prices)")


async def test_text_that_is_not_ascii(start, screenshot):
    async with start("# 🎉 größer\n") as editor:
        await editor.press("größe = ")
        await editor.shows("länge * höhe  # ä")
        editor.frame.save(screenshot)
        await editor.press("lä")
        await editor.shows("nge * höhe  # ä")
        await editor.press("<M-Right>")
        await editor.shows(" * höhe  # ä")
        await editor.press("<Tab>")
        await editor.shows("")
        assert await editor.text() == "# 🎉 größer\ngröße = länge * höhe  # ä"


async def test_text_right_of_the_cursor_is_not_repeated(start):
    async with start("x = f()") as editor:
        await editor.press("<Left>")
        await editor.press("<BS>(")
        await editor.shows("alpha, beta")
        assert editor.frame.lines[0] == "x = f(alpha, beta)"
        await editor.press("<Tab>")
        await editor.shows("")
        assert await editor.text() == "x = f(alpha, beta)"


async def test_a_closing_sign_that_comes_by_itself(start):
    pairs = "vim.keymap.set('i', '(', '()<Left>')"
    async with start(answers={"x = ": "f(alpha)"}, lua=pairs) as editor:
        await editor.press("x = ")
        await editor.shows("f(alpha)")
        await editor.press("f(")
        await editor.shows("alpha")
        await editor.press("<Tab>")
        await editor.shows("")
        assert await editor.text() == "x = f(alpha)"


async def test_dismiss_until_something_is_typed(start):
    async with start() as editor:
        await editor.press("total = ")
        await editor.shows("sum(prices)")
        await editor.press("<C-]>")
        await editor.hears("FimbleHidden")
        await editor.shows("")
        await editor.press("s")
        await editor.shows("um(prices)")


async def test_leaving_insert_mode_hides(start):
    async with start() as editor:
        await editor.press("total = ")
        await editor.shows("sum(prices)")
        await editor.press("<Esc>")
        await editor.hears("FimbleHidden")
        await editor.shows("")
        await editor.press("A")
        await editor.shows("sum(prices)")


async def test_two_windows_on_one_workspace(start, tmp_path, screenshot):
    (tmp_path / "second.py").write_text("")
    async with start() as editor:
        await editor.press("<Esc>:split second.py<CR>")
        await editor.idle()
        await editor.press("iother = ")
        await editor.shows("second_window()")
        editor.frame.save(screenshot)
        await editor.press("<Esc><C-w>jAtotal = ")
        await editor.shows("sum(prices)")
        assert await editor.lua("return #vim.lsp.get_clients()") == 1


async def test_disable_and_enable(start):
    async with start() as editor:
        await editor.press("total = ")
        await editor.shows("sum(prices)")
        await editor.press("<Cmd>Fimble disable<CR>")
        await editor.shows("")
        await editor.until(lambda: "Fimble paused" in editor.frame.text, "said that it pauses")
        await editor.press("s<BS>")
        await editor.press("<Cmd>Fimble enable<CR>")
        await editor.shows("sum(prices)")


async def test_commands_and_the_status_line(start):
    async with start() as editor:
        await editor.press("total = ")
        await editor.shows("sum(prices)")
        await editor.lua("_G.said = {}; vim.notify = function(words) table.insert(said, words) end")
        await editor.lua("vim.cmd('Fimble status'); vim.cmd('Fimble why')")
        await editor.idle()
        said = await editor.lua("vim.wait(2000, function() return #said > 1 end) return said")
        assert any("ready, model qwen2.5-coder-0.5b" in words for words in said)
        assert any("A suggestion was made. (stop) [shown, line 1" in words for words in said)
        line = await editor.lua("return require('fimble').statusline()")
        assert line == "Fimble"
        names = await editor.call(
            "nvim_exec2", "echo getcompletion('Fimble ', 'cmdline')", {"output": True}
        )
        assert names["output"] == str(
            [
                *("disable", "enable", "instruct", "log", "model"),
                *("status", "toggle", "translate", "why"),
            ]
        )


CHAT = "{% for m in messages %}<u>{{ m.content }}</u>{% endfor %}<a>"
FUNCTION = "def f(a):\n    return a"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("Fimble instruct", "def f(a):\n    return 2 * a"),
        ("1,2Fimble instruct double it", "def f(a):\n    return 2 * a"),
        ("Fimble translate", "local function f(a)\n  return a\nend"),
    ],
)
async def test_what_is_said_in_words_is_done(start, command, expected):
    answers = {
        "```python\n": "def f(a):\n    return 2 * a\n```",
        "```lua\n": "local function f(a)\n  return a\nend\n```",
    }
    async with start(FUNCTION, answers=answers, chat_template=CHAT) as editor:
        await editor.press("<Esc>gg")
        await editor.lua("vim.ui.input = function(_, done) done('double it') end")
        await editor.lua(
            "vim.ui.select = function(all, options, done)"
            " for _, one in ipairs(all) do"
            " if options.format_item(one) == 'Lua' then done(one) end end end"
        )
        await editor.idle()
        await editor.lua("vim.cmd(...)", command)
        texts = await editor.lua(
            "local expected, texts = ..., nil;"
            " vim.wait(5000, function()"
            "   texts = vim.tbl_map(function(bufnr)"
            "     local lines = vim.api.nvim_buf_get_lines(bufnr, 0, -1, true)"
            "     return vim.trim(table.concat(lines, '\\n'))"
            "   end, vim.api.nvim_list_bufs())"
            "   return vim.tbl_contains(texts, expected)"
            " end, 20);"
            " return texts",
            expected,
        )
        assert expected in texts


async def test_health(start):
    async with start() as editor:
        await editor.press("<Esc><Cmd>checkhealth fimble<CR>")
        await editor.until(lambda: "Server 0." in editor.frame.text, "showed its health")
        text = await editor.text()
        assert "model qwen2.5-coder-0.5b: ready." in text
        assert "The plugin shows suggestions." in text
        assert "WARNING" not in text
        assert "ERROR" not in text


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("{ pop = 1 }", "`pop` is no option"),
        ("{ popup = 'both' }", "`popup` must be 'show' or 'hide'"),
        ("{ keys = { acept = '<Tab>' } }", "`keys.acept` is no option"),
        ("{ native = 1 }", "`native` must be a boolean"),
    ],
)
async def test_bad_options_are_named(start, options, complaint):
    async with start() as editor:
        said = await editor.lua(f"return select(2, pcall(require('fimble').setup, {options}))")
        assert complaint in said


async def test_candidates(start, screenshot):
    others = {"sum(prices)": ["max(prices)", "min(prices)"]}
    async with start(others=others) as editor:
        await editor.press("total = ")
        await editor.shows("sum(prices)")
        await editor.press("<M-]>")
        await editor.shows("max(prices) (2/3)")
        editor.frame.save(screenshot)
        await editor.press("<M-]><M-]>")
        await editor.shows("sum(prices) (1/3)")
        await editor.press("<M-[>")
        await editor.shows("min(prices) (3/3)")
        await editor.press("<Tab>")
        await editor.hears("FimbleAccepted")
        assert await editor.text() == "total = min(prices)"


MISSPELLED = """def total(prices):
    größe = sum(price)
    return größe
"""


async def test_a_quick_fix_for_what_another_tool_says(start, screenshot):
    async with start(MISSPELLED, default="größe = sum(prices)\n") as editor:
        await editor.press("<Esc>2Gw")
        await editor.complain(MISSPELLED, "price)", "undefined name 'price'", "F821")
        await editor.choose_action("Fix: undefined name 'price'", screenshot)
        fixed = MISSPELLED.replace("(price)", "(prices)")
        await editor.until(lambda: "sum(prices)" in editor.frame.text, "applied the fix")
        editor.frame.save(screenshot)
        assert await editor.text() == fixed
        await editor.press("u")
        assert await editor.text() == MISSPELLED


COMMENT = "# A function area(width, height) that tells how large a rectangle is"
AREA = "def area(width, height):\n    return width * height"


async def test_a_comment_becomes_a_function(start, screenshot):
    async with start(COMMENT, default=f"{AREA}\n\n\n") as editor:
        await editor.press("<Esc>gg")
        await editor.choose_action("Write what this comment describes", screenshot)
        await editor.until(lambda: "return width" in editor.frame.text, "wrote the function")
        editor.frame.save(screenshot)
        assert await editor.text() == f"{COMMENT}\n{AREA}"


async def test_on_a_real_screen(nvim, tmp_path, environment, screenshot):
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"answers": SCRIPT}))
    init = init_file(tmp_path, server_options("--scripted", str(script)))
    file = tmp_path / "shop.py"
    file.write_text("")
    async with in_terminal(nvim, init, environment) as editor:
        await editor.edit(file)
        await editor.press("idef area(")
        await editor.shows("width, height):\n    return width * height")
        editor.frame.save(screenshot)
        await editor.press("wid")
        await editor.shows("th, height):\n    return width * height")
        await editor.press("<Tab>")
        await editor.shows("")
        assert await editor.text() == "def area(width, height):\n    return width * height"


async def test_help_has_tags(start):
    async with start() as editor:
        await editor.press("<Esc><Cmd>helptags ALL<CR><Cmd>help fimble-keys<CR>")
        await editor.until(lambda: "3. KEYS" in editor.frame.text, "showed the help")
