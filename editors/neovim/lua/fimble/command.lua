--- The command `:Fimble`.
local M = {}

local client = require('fimble.client')
local models = require('fimble.models')
local reasons = require('fimble.reasons')

---@param message string
---@param level? integer
local function say(message, level)
  vim.notify('Fimble: ' .. message, level or vim.log.levels.INFO)
end

--- Ask the server and show what `words` makes of the answer.
---@param method string
---@param params table
---@param words fun(answer: any): string
local function show(method, params, words)
  client.ask(method, params, function(answer, problem)
    if problem then
      say(problem, vim.log.levels.WARN)
    else
      say(words(answer))
    end
  end)
end

---@param now table the answer to fimble/status
---@return string
local function status_words(now)
  local parts = { ('%s, model %s'):format(now.state, now.model.name) }
  if now.state == 'loading' and now.stage ~= '' then
    parts[#parts + 1] = ('%s (%d %%)'):format(now.stage, now.progress * 100)
  end
  if type(now.rates) == 'table' then
    local rates = 'reads %.0f and writes %.0f tokens a second'
    parts[#parts + 1] = rates:format(now.rates.prefill, now.rates.decode)
  end
  if now.restarts > 0 then
    parts[#parts + 1] = ('restarted %d times'):format(now.restarts)
  end
  local problems = vim.list_slice(now.settings.problems)
  if type(now.error) == 'table' then
    table.insert(problems, 1, now.error)
  end
  for _, problem in ipairs(problems) do
    parts[#parts + 1] = ('%s %s'):format(problem.message, problem.hint)
  end
  return table.concat(parts, '\n')
end

---@param answers table the answer to fimble/explainLast
---@return string
local function why_words(answers)
  local last = answers[1]
  if not last then
    return 'nothing was asked yet'
  end
  local words = reasons[last.reason] or last.reason
  local detail = last.detail ~= '' and (' (%s)'):format(last.detail) or ''
  local line = last.position.line + 1
  return ('%s%s [%s, line %d, %.0f ms]'):format(words, detail, last.reason, line, last.totalMs)
end

---@param name string
local function set_model(name)
  if not client.get() then
    say('the server is not running; see :checkhealth fimble', vim.log.levels.WARN)
    return
  end
  client.set('model', name)
  say(('model %s'):format(name))
end

--- Use a model by its name, or as the server does by the path of a file.
---@param name string
local function use_model(name)
  if name:find('[/\\]') or vim.endswith(name:lower(), '.gguf') then
    set_model(name)
    return
  end
  models.list(function(names)
    -- Where they cannot be listed, the server says whether there is such a model.
    if names and not vim.tbl_contains(names, name) then
      local words = 'there is no model `%s`, only %s'
      say(words:format(name, table.concat(names, ', ')), vim.log.levels.ERROR)
    else
      set_model(name)
    end
  end)
end

local function choose_model()
  models.list(function(names, problem)
    if not names then
      say(problem or '', vim.log.levels.ERROR)
      return
    end
    vim.ui.select(names, { prompt = 'Model' }, function(choice)
      if choice then
        set_model(choice)
      end
    end)
  end)
end

--- Switch suggestions, here only with a bang.
---@param enabled boolean
---@param args table
local function enable(enabled, args)
  require('fimble').enable(enabled, args.bang and 0 or nil)
end

local actions = {
  enable = function(args)
    enable(true, args)
  end,
  disable = function(args)
    enable(false, args)
  end,
  toggle = function(args)
    enable(not require('fimble').is_enabled(), args)
  end,
  status = function()
    show('fimble/status', vim.empty_dict(), status_words)
  end,
  why = function()
    show('fimble/explainLast', { count = 1 }, why_words)
  end,
  model = function(args)
    if args.fargs[2] then
      use_model(args.fargs[2])
    else
      choose_model()
    end
  end,
  instruct = function(args)
    require('fimble.wishes').instruct(args)
  end,
  translate = function(args)
    require('fimble.wishes').translate(args)
  end,
  log = function()
    local path = vim.lsp.log and vim.lsp.log.get_filename and vim.lsp.log.get_filename()
    vim.cmd.tabedit(vim.fn.fnameescape(path or vim.lsp.get_log_path()))
    vim.cmd('normal! G')
  end,
}

---@param args table as a user command gets them
function M.run(args)
  local action = actions[args.fargs[1]]
  if action then
    action(args)
  else
    say(('there is no command `%s`'):format(args.fargs[1]), vim.log.levels.ERROR)
  end
end

---@param lead string
---@param line string
---@return string[]
function M.complete(lead, line)
  local candidates = line:match('Fimble!?%s+model%s') and models.known() or vim.tbl_keys(actions)
  candidates = vim.tbl_filter(function(candidate)
    return vim.startswith(candidate, lead)
  end, candidates)
  table.sort(candidates)
  return candidates
end

return M
