--- `:checkhealth fimble`.
local M = {}

local client = require('fimble.client')
local config = require('fimble.config')

local TIMEOUT_MS = 3000

local function check_neovim()
  if vim.fn.has('nvim-0.10') == 0 then
    vim.health.error('Neovim 0.10 or later is needed.')
    return
  end
  local ways = {
    native = 'Neovim shows suggestions itself (vim.lsp.inline_completion).',
    own = 'The plugin shows suggestions.',
  }
  vim.health.ok(ways[require('fimble').backend()])
end

---@param cmd string[]
local function check_server(cmd)
  if type(cmd) ~= 'table' then
    vim.health.info('The server is started by a function.')
    return
  end
  if vim.fn.executable(cmd[1]) == 0 then
    local where = cmd[1] == 'fimble' and ' on PATH or in ~/.local/bin' or ''
    vim.health.error(('There is no command `%s`%s.'):format(cmd[1], where), {
      'Install the server, as the README says.',
      "Or name it: require('fimble').setup({ cmd = { '/path/to/fimble', 'serve' } })",
    })
    return
  end
  vim.health.ok(('The server is %s.'):format(vim.fn.exepath(cmd[1])))
end

local function check_client()
  local running = client.get()
  if not running then
    vim.health.warn('The server is not running.', { 'Open a file that has a file type.' })
    return
  end
  local params = vim.empty_dict()
  local answer = client.call(running, 'request_sync', 'fimble/status', params, TIMEOUT_MS)
  local now = answer and answer.result
  if not now then
    vim.health.error('The server does not answer.', { 'See :Fimble log' })
    return
  end
  local words = ('Server %s, model %s: %s.'):format(now.version, now.model.name, now.state)
  if type(now.error) == 'table' then
    vim.health.error(words .. ' ' .. now.error.message, { now.error.hint })
  else
    vim.health.ok(words)
  end
  for _, problem in ipairs(now.settings.problems) do
    vim.health.warn(problem.message, { problem.hint })
  end
end

local function check_keys()
  for name, lhs in pairs(config.current.keys) do
    local mapping = lhs and vim.fn.maparg(lhs, 'i', false, true)
    if mapping and not vim.startswith(mapping.desc or '', 'Fimble: ') then
      vim.health.warn(('%s (%s) is mapped to something else here.'):format(lhs, name), {
        ("Call require('fimble').%s() there, which says whether there was anything."):format(name),
      })
    end
  end
end

function M.check()
  vim.health.start('Fimble')
  check_neovim()
  check_server(config.current.cmd)
  check_client()
  check_keys()
end

return M
