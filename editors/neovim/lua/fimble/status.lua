--- How the server is, as it tells of itself at each change: for the status line.
local M = {}

local client = require('fimble.client')
local events = require('fimble.events')

local DID_CHANGE_STATUS = 'fimble/didChangeStatus'

---@class fimble.State
---@field state string
---@field percent? integer of loading

--- What each server has told last, by its client's id.
---@type table<integer, fimble.State>
local told = {}
local is_thinking = false
--- Whether the status line was drawn while the server was thinking.
local was_seen_thinking = false

--- The engine's states in words for users.
local STATES = {
  stopped = 'off',
  loading = 'loading',
  ready = 'ready',
  down = 'error',
  failed = 'error',
}

--- The state of the current buffer's server, if it has one.
---@return fimble.State?
local function here()
  local running = client.get(vim.api.nvim_get_current_buf())
  return running and (told[running.id] or { state = 'loading' })
end

local function redraw()
  vim.schedule(function()
    vim.cmd.redrawstatus({ bang = true })
  end)
end

---@param now? fimble.State
local function changed(now)
  events.fire('FimbleStatus', now or { state = '' })
  redraw()
end

--- Tell that something has changed of which the servers know nothing.
function M.changed()
  changed(here())
end

--- Handle the server's notification.
---@param _ any
---@param status table
---@param context { client_id: integer }
local function heard(_, status, context)
  local is_counting = status.state == 'loading' and status.stage ~= ''
  local now = {
    state = STATES[status.state] or status.state,
    percent = is_counting and math.floor(status.progress * 100 + 0.5) or nil,
  }
  if not vim.deep_equal(told[context.client_id], now) then
    told[context.client_id] = now
    changed(now)
  end
end

---@param event table
local function detached(event)
  local id = event.data.client_id
  -- A server that has ended is forgotten a moment after its buffers were detached.
  vim.schedule(function()
    if told[id] and not vim.lsp.get_client_by_id(id) then
      told[id] = nil
      changed()
    end
  end)
end

---@param group integer
function M.start(group)
  vim.lsp.handlers[DID_CHANGE_STATUS] = heard
  vim.api.nvim_create_autocmd('LspDetach', { group = group, callback = detached })
  vim.api.nvim_create_autocmd('User', {
    group = group,
    pattern = { 'FimbleAsked', 'FimbleAnswered' },
    callback = function(event)
      is_thinking = event.match == 'FimbleAsked'
      if was_seen_thinking and not is_thinking then
        was_seen_thinking = false
        redraw()
      end
    end,
  })
end

---@param is_enabled boolean
---@return string
function M.line(is_enabled)
  local now = here()
  if not now then
    return ''
  end
  if not is_enabled then
    return 'Fimble paused'
  end
  if now.state == 'loading' then
    return now.percent and ('Fimble %d%%%%'):format(now.percent) or 'Fimble loading'
  end
  if now.state == 'ready' then
    was_seen_thinking = is_thinking
    return is_thinking and 'Fimble …' or 'Fimble'
  end
  return 'Fimble ' .. now.state
end

return M
