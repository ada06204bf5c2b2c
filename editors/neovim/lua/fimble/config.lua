--- What the user can set here; what the server does is set in `settings`.
local M = {}

---@class fimble.Keys
---@field accept string|false all of the suggestion
---@field accept_word string|false its next word
---@field accept_line string|false its next line
---@field next string|false the next candidate; asks for more of them
---@field previous string|false the candidate before
---@field dismiss string|false no suggestion until something is typed

---@class fimble.Config
---@field cmd string[] how to start the server; `fimble` is also looked for in ~/.local/bin
---@field filetypes? string[] nil: all files that have a file type
---@field root_markers string[] what a workspace's folder holds
---@field settings table the server's settings, as in the README's table
---@field keys fimble.Keys a key of false is not mapped
---@field popup 'show'|'hide' the suggestion while a completion menu is open
---@field native boolean use `vim.lsp.inline_completion` where Neovim has it
---@field enabled boolean suggest from the start

---@type fimble.Config
M.defaults = {
  cmd = { 'fimble', 'serve' },
  filetypes = nil,
  root_markers = { '.git' },
  settings = {},
  keys = {
    accept = '<Tab>',
    accept_word = '<M-Right>',
    accept_line = '<M-Down>',
    next = '<M-]>',
    previous = '<M-[>',
    dismiss = '<C-]>',
  },
  popup = 'show',
  native = true,
  enabled = true,
}

---@type fimble.Config
M.current = M.defaults

--- Where the server is, unless the user says: on PATH, or where pipx and uv put programs. That
--- folder is on PATH in a terminal, but often not for what is started from a desktop.
---@return string[]
local function find_server()
  local own = vim.fs.normalize('~/.local/bin/fimble')
  local is_only_there = vim.fn.executable('fimble') == 0 and vim.fn.executable(own) == 1
  return { is_only_there and own or 'fimble', 'serve' }
end

--- Lay the user's options over the defaults; raises an error that names a bad option.
---@param options? table
---@return fimble.Config
function M.set(options)
  options = options or {}
  local config = vim.tbl_deep_extend('force', M.defaults, options)
  -- Lists are replaced, not merged item by item.
  config.cmd = options.cmd or find_server()
  config.filetypes = options.filetypes
  config.root_markers = options.root_markers or M.defaults.root_markers
  M.check(config)
  M.current = config
  return config
end

---@param config fimble.Config
function M.check(config)
  local known = {
    cmd = { 'table', 'function' },
    filetypes = { 'table', 'nil' },
    root_markers = { 'table' },
    settings = { 'table' },
    keys = { 'table' },
    popup = { 'string' },
    native = { 'boolean' },
    enabled = { 'boolean' },
  }
  for name, value in pairs(config) do
    if not known[name] then
      error(('fimble: `%s` is no option'):format(name), 0)
    end
    if not vim.tbl_contains(known[name], type(value)) then
      error(('fimble: `%s` must be a %s'):format(name, known[name][1]), 0)
    end
  end
  if config.popup ~= 'show' and config.popup ~= 'hide' then
    error("fimble: `popup` must be 'show' or 'hide'", 0)
  end
  for name, key in pairs(config.keys) do
    if M.defaults.keys[name] == nil then
      error(('fimble: `keys.%s` is no option'):format(name), 0)
    end
    if key ~= false and type(key) ~= 'string' then
      error(('fimble: `keys.%s` must be a string or false'):format(name), 0)
    end
  end
end

return M
