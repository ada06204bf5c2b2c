"""The commands of the plugin, its options, its health and its help, with a scripted model."""

import pytest


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


async def test_toggle(start):
    async with start() as editor:
        await editor.press("total = <Cmd>Fimble toggle<CR>")
        await editor.until(lambda: "Fimble paused" in editor.frame.text, "said that it pauses")
        await editor.shows("")
        await editor.press("<Cmd>Fimble toggle<CR>")
        await editor.shows("sum(prices)")
        await editor.press("<Cmd>Fimble! toggle<CR>")
        await editor.shows("")
        assert await editor.lua("return require('fimble').is_enabled()") is False
        assert await editor.lua("vim.cmd.enew() return require('fimble').is_enabled()") is True


async def test_the_log_is_opened(start):
    async with start() as editor:
        await editor.press("<Esc><Cmd>Fimble log<CR>")
        await editor.until(lambda: "lsp.log" in editor.frame.text, "showed the log")
        assert await editor.lua("return vim.fn.tabpagenr('$')") == 2


SAY = "_G.said = {}; vim.notify = function(words) table.insert(said, words) end"


async def said(editor, words):
    """Wait until the plugin has said something with these words."""
    heard = await editor.lua(
        "local words = ...; vim.wait(20000, function()"
        " return vim.iter(said):any(function(one) return one:find(words, 1, true) end)"
        " end, 20) return said",
        words,
    )
    assert any(words in one for one in heard), heard


async def test_another_model_is_chosen_by_name_or_from_the_list(start):
    async with start() as editor:
        await editor.lua(SAY)
        await editor.press("<Esc>")
        names = await editor.lua("return vim.fn.getcompletion('Fimble model ', 'cmdline')")
        assert names == ["qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"]
        await editor.lua("vim.cmd('Fimble model qwen2.5-coder-1.5b')")
        await said(editor, "Fimble: model qwen2.5-coder-1.5b")
        await editor.idle()
        await editor.lua("vim.cmd('Fimble status')")
        await said(editor, "ready, model qwen2.5-coder-1.5b")
        await editor.lua("vim.cmd('Fimble model typo')")
        await said(editor, "there is no model `typo`, only qwen2.5-coder-0.5b, qwen2.5-coder-1.5b")
        await editor.lua("vim.ui.select = function(all, _, done) done(all[1]) end")
        await editor.lua("vim.cmd('Fimble model')")
        await said(editor, "Fimble: model qwen2.5-coder-0.5b")


async def test_another_model_is_for_the_servers_of_other_folders_too(start, tmp_path):
    for name in ("first", "second"):
        (tmp_path / name / ".git").mkdir(parents=True)
        (tmp_path / name / "shop.py").write_text("")
    async with start() as editor:
        await editor.press("<Esc>")
        await editor.lua(SAY)
        await editor.edit(tmp_path / "first" / "shop.py")
        await editor.lua("vim.cmd('Fimble model qwen2.5-coder-1.5b')")
        await said(editor, "Fimble: model qwen2.5-coder-1.5b")
        await editor.edit(tmp_path / "second" / "shop.py")
        await editor.lua("vim.cmd('Fimble status')")
        await said(editor, "ready, model qwen2.5-coder-")
        assert await editor.lua("return #vim.lsp.get_clients()") == 3
        heard = await editor.lua("return said")
        assert "model qwen2.5-coder-1.5b" in heard[-1], heard


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


async def test_the_menu_asks_for_an_instruction(start):
    answers = {"```python\n": "def f(a):\n    return 2 * a\n```"}
    async with start(FUNCTION, answers=answers, chat_template=CHAT) as editor:
        await editor.press("<Esc>gg")
        await editor.lua("vim.ui.input = function(_, done) done('double it') end")
        await editor.idle()
        await editor.lua(
            "vim.lsp.buf.code_action({ apply = true, filter = function(action)"
            " return action.title == 'Edit as you say…' end })"
        )
        doubled = await editor.lua(
            "local expected = ...;"
            " return vim.wait(5000, function()"
            "   local lines = vim.api.nvim_buf_get_lines(0, 0, -1, true)"
            "   return table.concat(lines, '\\n') == expected"
            " end, 20)",
            answers["```python\n"].removesuffix("\n```"),
        )
        assert doubled


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


async def test_help_has_tags(start):
    async with start() as editor:
        await editor.press("<Esc><Cmd>helptags ALL<CR><Cmd>help fimble-keys<CR>")
        await editor.until(lambda: "3. KEYS" in editor.frame.text, "showed the help")
