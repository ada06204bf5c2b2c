"""The plugin in a real Neovim with a scripted model: exact text, and every frame on the way."""

import pytest
from neovim import in_terminal


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


async def test_lines_before_the_rest_of_a_line_are_shown_where_they_will_stand(start, screenshot):
    filled = "0;\nfor (const value of values) total +="
    async with start("let total =  value;", name="sum.js", answers={"total = ": filled}) as editor:
        await editor.press("<Esc>0fv<Left>i")
        await editor.shows(filled)
        editor.frame.save(screenshot)
        assert editor.frame.lines[:2] == [
            "let total = 0;",
            "for (const value of values) total += value;",
        ]
        await editor.press("<Tab>")
        await editor.shows("")
        assert await editor.text() == f"let total = {filled} value;"


async def test_a_block_is_there_with_its_first_lines_and_grows(start, screenshot):
    lines = [f"    s{at} = v[{at}] + w" for at in range(10)]
    first, whole = "\n".join(lines[:9]), "\n".join(lines)
    async with start(delay_ms=10, answers={"def total_of(v):": f"\n{whole}"}) as editor:
        await editor.press("def total_of(v):")
        await editor.shows(first)
        editor.frame.save(screenshot.with_stem("first-lines"))
        await editor.shows(whole)
        ghosts = list(dict.fromkeys(frame.ghost for frame in editor.grid.frames if frame.ghost))
        assert ghosts == [first, whole]
        await editor.press("<Tab>")
        await editor.shows("")
        assert await editor.text() == f"def total_of(v):\n{whole}"


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


async def test_tab_goes_to_the_next_place_of_a_snippet(start, screenshot):
    async with start() as editor:
        await editor.lua("vim.snippet.expand('total = ${1}\\nother = ${2}')")
        await editor.press(" <BS>")
        await editor.shows("sum(prices)")
        editor.frame.save(screenshot)
        await editor.press("<Tab>")
        await editor.shows("second_window()")
        assert await editor.text() == "total = \nother = "
        await editor.lua("vim.snippet.stop()")
        await editor.press("<Tab>")
        await editor.shows("")
        assert await editor.text() == "total = \nother = second_window()"


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


async def test_two_neovims_on_one_folder(start, tmp_path, screenshot):
    (tmp_path / ".git").mkdir()
    async with start() as first, start(name="second.py") as second:
        await first.press("total = ")
        await second.press("other = ")
        await first.shows("sum(prices)")
        await second.shows("second_window()")
        second.frame.save(screenshot)
        for editor in (first, second):
            await editor.press("<Tab>")
            await editor.shows("")
            roots = "return vim.tbl_map(function(c) return c.root_dir end, vim.lsp.get_clients())"
            assert await editor.lua(roots) == [str(tmp_path)]
        assert await first.text() == "total = sum(prices)"
        assert await second.text() == "other = second_window()"


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


async def test_on_a_real_screen(start, screenshot):
    async with start(way=in_terminal) as editor:
        await editor.press("def area(")
        await editor.shows("width, height):\n    return width * height")
        editor.frame.save(screenshot)
        await editor.press("wid")
        await editor.shows("th, height):\n    return width * height")
        await editor.press("<Tab>")
        await editor.shows("")
        assert await editor.text() == "def area(width, height):\n    return width * height"
