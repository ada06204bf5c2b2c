--- Fimble in Neovim: `require('fimble').setup()` is all one needs.
local M = {}

local client = require('fimble.client')
local config = require('fimble.config')
local diagnostics = require('fimble.diagnostics')
local ghost = require('fimble.ghost')
local keys = require('fimble.keys')
local native = require('fimble.native')
local own = require('fimble.own')
local status = require('fimble.status')

local DID_GROW = 'fimble/didGrow'

local backend = own
local is_enabled = true

--- Warn once Neovim is up: earlier, each message would have to be confirmed.
---@param problem string
local function say_later(problem)
  local say = vim.schedule_wrap(function()
    vim.notify_once(problem, vim.log.levels.WARN)
  end)
  if vim.v.vim_did_enter == 1 then
    say()
  else
    vim.api.nvim_create_autocmd('VimEnter', { once = true, callback = say })
  end
end

--- Handle the server's notification that it knows more lines of the suggestion by now.
---@param _ any
---@param params { uri: string }
local function grown(_, params)
  if vim.uri_from_bufnr(0) == params.uri then
    backend.grow()
  end
end

--- Start the server for the files that are opened from now on, and map the keys.
---@param options? fimble.Config
function M.setup(options)
  local settings = config.set(options)
  backend = settings.native and native.is_available() and native or own
  is_enabled = settings.enabled
  local group = vim.api.nvim_create_augroup('fimble', {})
  ghost.define_highlights()
  vim.api.nvim_create_autocmd('ColorScheme', { group = group, callback = ghost.define_highlights })
  vim.api.nvim_create_autocmd('LspAttach', {
    group = group,
    callback = function(event)
      M.attach(event.buf, event.data.client_id, group)
    end,
  })
  backend.start(group)
  vim.lsp.handlers[DID_GROW] = grown
  status.start(group)
  keys.map(settings.keys)
  if type(settings.cmd) == 'table' and vim.fn.executable(settings.cmd[1]) == 0 then
    say_later('Fimble: its server was not found, see :checkhealth fimble')
    return
  end
  client.start(settings)
end

---@param bufnr integer
---@param client_id integer
---@param group integer
function M.attach(bufnr, client_id, group)
  local attached = vim.lsp.get_client_by_id(client_id)
  if not attached or attached.name ~= client.NAME then
    return
  end
  diagnostics.tell(attached)
  if M.is_enabled(bufnr) then
    M.watch(bufnr, group)
  end
end

--- Suggest in a buffer; starting again changes nothing.
---@param bufnr integer
---@param group? integer
function M.watch(bufnr, group)
  group = group or vim.api.nvim_create_augroup('fimble', { clear = false })
  M.unwatch(bufnr)
  backend.attach(bufnr, group)
  vim.b[bufnr].fimble_watched = true
end

---@param bufnr integer
function M.unwatch(bufnr)
  if not vim.b[bufnr].fimble_watched then
    return
  end
  vim.b[bufnr].fimble_watched = nil
  vim.api.nvim_clear_autocmds({ group = 'fimble', buffer = bufnr })
  backend.detach(bufnr)
end

--- Whether Fimble suggests, everywhere and in this buffer.
---@param bufnr? integer
---@return boolean
function M.is_enabled(bufnr)
  local here = vim.b[bufnr or vim.api.nvim_get_current_buf()].fimble_enabled
  if here ~= nil then
    return here
  end
  return is_enabled
end

--- Suggest or not; `bufnr` means only there, 0 for the current buffer.
---@param enabled boolean
---@param bufnr? integer
function M.enable(enabled, bufnr)
  if bufnr then
    bufnr = bufnr == 0 and vim.api.nvim_get_current_buf() or bufnr
    vim.b[bufnr].fimble_enabled = enabled
  else
    is_enabled = enabled
  end
  for _, one in ipairs(vim.lsp.get_clients({ name = client.NAME })) do
    for attached in pairs(one.attached_buffers) do
      if M.is_enabled(attached) then
        M.watch(attached)
      else
        M.unwatch(attached)
      end
    end
  end
  status.changed()
end

---@return boolean
function M.is_visible()
  return backend.is_visible()
end

--- Accept the suggestion: all of it, its next word or its next line.
---@param kind? 'all'|'word'|'line'
---@return boolean whether there was one
function M.accept(kind)
  return backend.accept(kind or 'all')
end

---@return boolean
function M.accept_word()
  return backend.accept('word')
end

---@return boolean
function M.accept_line()
  return backend.accept('line')
end

--- Show the next candidate.
---@return boolean
function M.next()
  return backend.cycle(1)
end

--- Show the candidate before.
---@return boolean
function M.previous()
  return backend.cycle(-1)
end

--- Hide the suggestion until something is typed.
---@return boolean
function M.dismiss()
  return backend.dismiss()
end

--- A few words for the status line; nothing where Fimble does not run.
---@return string
function M.statusline()
  return status.line(M.is_enabled())
end

--- Which of the two ways of showing suggestions is in use.
---@return 'native'|'own'
function M.backend()
  return backend == native and 'native' or 'own'
end

return M
