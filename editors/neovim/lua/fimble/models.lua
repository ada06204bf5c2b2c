--- The models that are here or can be fetched, as `fimble models list` knows them.
local M = {}

local config = require('fimble.config')

--- The list takes a second; completing a command line waits for it only the first time.
local WAIT_MS = 2000
--- A program of the user's that does something else is not waited for.
local TIMEOUT_MS = 20000

--- As listed last.
---@type string[]?
local listed

--- The names in what the program has printed.
---@param printed string
---@return string[]?
local function names_in(printed)
  local is_json, models = pcall(vim.json.decode, printed)
  if not is_json then
    return nil
  end
  return vim.tbl_map(function(model)
    return model.name
  end, models)
end

--- Call `done` with all names, or with nil and a sentence.
---@param done fun(names?: string[], problem?: string)
function M.list(done)
  local cmd = config.current.cmd
  if type(cmd) ~= 'table' then
    done(nil, 'the server is started by a function, so the models cannot be listed')
    return
  end
  local program = vim.fn.exepath(cmd[1])
  if program == '' then
    done(nil, ('there is no command `%s`'):format(cmd[1]))
    return
  end
  local words = { program }
  vim.list_extend(words, cmd, 2, vim.fn.index(cmd, 'serve'))
  vim.list_extend(words, { 'models', 'list', '--json' })
  local function ended(process)
    listed = names_in(process.stdout) or listed
    if listed then
      done(listed)
    else
      done(nil, ('the models could not be listed: %s'):format(vim.trim(process.stderr)))
    end
  end
  -- Not in the workspace, where a file could be taken for a program or a module.
  local options = { text = true, cwd = vim.uv.os_homedir(), timeout = TIMEOUT_MS }
  vim.system(words, options, vim.schedule_wrap(ended))
end

--- The names for completing a command line: waits for them, but not for long.
---@return string[]
function M.known()
  if not listed then
    local is_answered = false
    M.list(function()
      is_answered = true
    end)
    vim.wait(WAIT_MS, function()
      return is_answered
    end, 10)
  end
  return listed or {}
end

return M
