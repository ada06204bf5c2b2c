"""Neovims that are not as usual: without a server, and newer ones."""

import json
import sys

from neovim import embedded, init_file, server_options


async def test_a_server_that_is_missing_is_said_once(nvim, tmp_path, environment):
    init = init_file(tmp_path, "{ cmd = { 'no-such-fimble' } }")
    async with embedded(nvim, init, environment) as editor:
        said = "Fimble: its server was not found, see :checkhealth fimble"
        await editor.until(lambda: said in editor.frame.text, "said that the server is missing")
        assert "ENTER" not in editor.frame.text
        assert await editor.lua("return vim.fn.getcompletion('Fimble model ', 'cmdline')") == []
        await editor.press("<Cmd>Fimble model<CR>")
        missing = "Fimble: there is no command `no-such-fimble`"
        await editor.until(lambda: missing in editor.frame.text, "said which command is missing")


async def test_a_server_that_is_not_on_path_is_found_where_pipx_puts_it(
    nvim, tmp_path, environment
):
    program = tmp_path / ".local" / "bin" / "fimble"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m fimble "$@"\n')
    program.chmod(0o755)
    home = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    async with embedded(nvim, init_file(tmp_path, "{}"), environment | home) as editor:
        assert await editor.lua("return vim.fn.executable('fimble')") == 0
        await editor.press("<Cmd>checkhealth fimble<CR>")
        await editor.until(lambda: "The server is" in editor.frame.text, "checked its health")
        assert f"The server is {program}" in (await editor.text()).replace("\n", "")


NATIVE = """
-- A stand-in with the functions of Neovim 0.12, whose one item is always shown.
local namespace = vim.api.nvim_create_namespace('nvim.lsp.inline_completion')
local item = { client_id = 1, insert_text = 'sum, prices)' }
vim.lsp.inline_completion = {
  enable = function() vim.api.nvim_buf_set_extmark(0, namespace, 0, 0, { id = 1 }) end,
  is_enabled = function() return true end,
  select = function(options) _G.selected = options.count end,
  get = function(options)
    vim.schedule(function()
      -- As the server has it: from where it was asked first to behind the closers.
      local last = #vim.api.nvim_get_current_line()
      item.range = { start_row = 0, start_col = 2, end_row = 0, end_col = last }
      _G.accepted = options.on_accept(item) == item
    end)
    return true
  end,
}
"""


async def test_what_neovim_itself_is_asked_for_from_0_12_on(nvim, tmp_path, environment):
    init = init_file(tmp_path, "{}")
    init.write_text(NATIVE + init.read_text().replace("setup({})", "setup({ cmd = { 'true' } })"))
    async with embedded(nvim, init, environment) as editor:
        await editor.lua("vim.lsp.inline_completion.enable(true)")
        assert await editor.lua("return require('fimble').backend()") == "native"
        await editor.press("if()<Left><M-]>")
        await editor.press("<M-Right>")
        assert (await editor.hears("FimbleAccepted"))["text"] == "sum"
        assert await editor.text() == "f(sum)"
        await editor.press("<M-Down>")
        assert (await editor.hears("FimbleAccepted"))["text"] == ", prices)"
        assert await editor.text() == "f(sum, prices)"
        await editor.press("<Tab>")
        assert (await editor.hears("FimbleAccepted"))["kind"] == "all"
        assert await editor.lua("return { selected, accepted }") == [1, True]


PER_BUFFER = """
-- A stand-in that only remembers where it is switched on.
_G.is_on = {}
vim.lsp.inline_completion = {
  enable = function(on, where) is_on[where.bufnr] = on end,
  is_enabled = function(where) return is_on[where.bufnr] == true end,
}
"""
WHERE_ON = """
return vim.tbl_map(function(bufnr)
  return vim.fs.basename(vim.api.nvim_buf_get_name(bufnr))
end, vim.tbl_filter(function(bufnr) return is_on[bufnr] end, vim.api.nvim_list_bufs()))
"""


async def test_neovim_itself_is_switched_off_in_all_buffers(nvim, tmp_path, environment):
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"answers": {}}))
    init = init_file(tmp_path, server_options("--scripted", str(script)))
    init.write_text(PER_BUFFER + init.read_text())
    async with embedded(nvim, init, environment) as editor:
        for name in ("a.py", "b.py"):
            (tmp_path / name).write_text("")
            await editor.edit(tmp_path / name)
        assert await editor.lua(WHERE_ON) == ["a.py", "b.py"]
        await editor.lua("vim.cmd('Fimble disable')")
        assert await editor.lua(WHERE_ON) == []
        await editor.lua("vim.cmd('Fimble enable')")
        assert await editor.lua(WHERE_ON) == ["a.py", "b.py"]
        await editor.lua("require('fimble').enable(false, vim.fn.bufnr('a.py'))")
        assert await editor.lua(WHERE_ON) == ["b.py"]
