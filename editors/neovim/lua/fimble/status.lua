--- How the server is, as far as one can know without asking: for the status line.
local M = {}

local client = require('fimble.client')
local events = require('fimble.events')

---@type string
local state = ''
---@type integer?
local percent
local is_thinking = false
--- Whether the status line was drawn while the server was thinking.
local was_seen_thinking = false

--- The title of the progress bar for the model; those of code actions have others.
local MODEL_BAR = 'Fimble'
--- After an empty answer the server is asked how it is, but not more often than this.
local REFRESH_MS = 2000
local refreshed_at = -REFRESH_MS

--- The engine's states, and the last words of the progress bar.
local STATES = {
  stopped = 'off',
  loading = 'loading',
  ready = 'ready',
  down = 'error',
  failed = 'error',
}

function M.changed()
  events.fire('FimbleStatus', { state = state, percent = percent })
  vim.schedule(function()
    vim.cmd.redrawstatus()
  end)
end

---@param new string
---@param new_percent? integer
local function set(new, new_percent)
  if new ~= state or new_percent ~= percent then
    state, percent = new, new_percent
    M.changed()
  end
end

--- Ask the server how it is, in case its model went down or came back.
local function refresh()
  local now_ms = vim.uv.now()
  if now_ms - refreshed_at < REFRESH_MS then
    return
  end
  refreshed_at = now_ms
  client.ask('fimble/status', vim.empty_dict(), function(now)
    if now then
      set(STATES[now.state] or now.state, now.state == 'loading' and percent or nil)
    end
  end)
end

---@param attached vim.lsp.Client
function M.attached(attached)
  if state == '' then
    set('loading')
    client.call(attached, 'request', 'fimble/status', vim.empty_dict(), function(_, now)
      -- The server says hello before it starts its model.
      if now and not percent and now.state ~= 'stopped' then
        set(STATES[now.state] or now.state)
      end
    end)
  end
end

---@param event table
local function progressed(event)
  local from = vim.lsp.get_client_by_id(event.data.client_id)
  local value = event.data.params and event.data.params.value
  if not from or from.name ~= client.NAME or type(value) ~= 'table' then
    return
  end
  if value.title ~= MODEL_BAR then
    return
  end
  if value.kind == 'end' then
    set(STATES[value.message] or 'ready')
  else
    set('loading', value.percentage)
  end
end

---@param count integer
local function answered(count)
  if count > 0 then
    set('ready')
  else
    refresh()
  end
  if was_seen_thinking then
    was_seen_thinking = false
    vim.cmd.redrawstatus()
  end
end

---@param group integer
function M.start(group)
  vim.api.nvim_create_autocmd('LspProgress', { group = group, callback = progressed })
  vim.api.nvim_create_autocmd('LspDetach', {
    group = group,
    callback = function(event)
      local left = vim.lsp.get_client_by_id(event.data.client_id)
      if left and left.name == client.NAME and vim.tbl_count(left.attached_buffers) <= 1 then
        set('')
      end
    end,
  })
  vim.api.nvim_create_autocmd('User', {
    group = group,
    pattern = { 'FimbleAsked', 'FimbleAnswered' },
    callback = function(event)
      is_thinking = event.match == 'FimbleAsked'
      if not is_thinking then
        answered(event.data.count)
      end
    end,
  })
end

---@param is_enabled boolean
---@return string
function M.line(is_enabled)
  if state == '' then
    return ''
  end
  if not is_enabled then
    return 'Fimble paused'
  end
  if state == 'loading' then
    return percent and ('Fimble %d%%%%'):format(percent) or 'Fimble loading'
  end
  if state == 'ready' then
    was_seen_thinking = is_thinking
    return is_thinking and 'Fimble …' or 'Fimble'
  end
  return 'Fimble ' .. state
end

return M
