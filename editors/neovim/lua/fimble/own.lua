--- Inline completion for Neovim before 0.12: one suggestion, in the current buffer.
---
--- Each change in insert mode is handled before the screen is drawn. What was typed along the
--- suggestion is cut off its front at once, and the server is asked at every change: it gives up
--- what it is doing for an older text, so nothing waits here. An answer for a text or a cursor
--- that has changed meanwhile is dropped.
local M = {}

local client = require('fimble.client')
local config = require('fimble.config')
local events = require('fimble.events')
local ghost = require('fimble.ghost')
local popup = require('fimble.popup')
local suggestions = require('fimble.suggestions')
local text = require('fimble.text')

---@enum fimble.Trigger as the protocol numbers them
local TRIGGER = { invoked = 1, automatic = 2 }

---@class fimble.Ticket a request that was not answered yet
---@field place fimble.Place
---@field client_id integer
---@field id? integer

---@type fimble.Suggestion?
local shown
---@type fimble.Ticket?
local asked
---@type fimble.Place?
local handled
--- Whether users were told that something is shown.
local announced = false

---@return fimble.Place
local function here()
  local bufnr = vim.api.nvim_get_current_buf()
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  local tick = vim.api.nvim_buf_get_changedtick(bufnr)
  return { bufnr = bufnr, tick = tick, row = row - 1, col = col }
end

local function is_inserting()
  return vim.api.nvim_get_mode().mode:sub(1, 1) == 'i'
end

local function hide()
  shown = nil
  ghost.clear()
  if announced then
    announced = false
    events.fire('FimbleHidden')
  end
end

--- Draw what is left of the suggestion, or hide it where nothing is.
---@param place fimble.Place
local function draw(place)
  local suggestion = shown
  local rest = suggestion and suggestions.rest_shown(suggestion, place)
  if not suggestion or not rest or rest == '' then
    hide()
    return
  end
  if config.current.popup == 'hide' and popup.is_visible() then
    ghost.clear()
    return
  end
  local count = #suggestion.items
  ghost.draw({
    bufnr = place.bufnr,
    row = place.row,
    col = place.col,
    rest = rest,
    right = suggestion.right,
    replaced = suggestion.replaced,
    counter = count > 1 and (' (%d/%d)'):format(suggestion.index, count) or '',
  })
  if not announced then
    announced = true
    events.fire('FimbleShown', { text = rest, index = suggestion.index, count = count })
  end
end

local function cancel()
  local ticket = asked
  asked = nil
  local asked_client = ticket and vim.lsp.get_client_by_id(ticket.client_id)
  if ticket and ticket.id and asked_client then
    client.call(asked_client, 'cancel_request', ticket.id)
  end
end

--- Want no answer any more.
local function give_up()
  if asked then
    cancel()
    events.fire('FimbleAnswered', { count = 0 })
  end
end

---@param place fimble.Place
---@param trigger fimble.Trigger
---@param done? fun() called with the answer in place
local function ask(place, trigger, done)
  cancel()
  local server = client.get(place.bufnr)
  if not server then
    return
  end
  local params = vim.lsp.util.make_position_params(0, server.offset_encoding)
  params.context = { triggerKind = trigger }
  ---@type fimble.Ticket
  local ticket = { place = place, client_id = server.id }
  asked = ticket
  local function answered(_, answer)
    if asked ~= ticket then
      return
    end
    asked = nil
    if not is_inserting() or not vim.deep_equal(here(), place) then
      events.fire('FimbleAnswered', { count = 0 })
      return
    end
    local new = suggestions.read(answer, place, server)
    if new and shown and trigger == TRIGGER.invoked then
      suggestions.add(shown, new, place)
    elseif new and not (shown and suggestions.keeps(shown, new, place)) then
      shown = new
    end
    if shown and trigger == TRIGGER.invoked then
      shown.complete = true
    end
    if done then
      done()
    end
    draw(place)
    events.fire('FimbleAnswered', { count = new and #new.items or 0 })
  end
  local method = client.INLINE_COMPLETION
  local sent, id = client.call(server, 'request', method, params, answered, place.bufnr)
  ticket.id = sent and id or nil
  events.fire('FimbleAsked')
end

--- Handle what the user did; may be called as often as one likes.
function M.update()
  local place = here()
  if not is_inserting() or vim.deep_equal(place, handled) then
    return
  end
  handled = place
  if vim.fn.reg_executing() ~= '' then
    M.clear()
    return
  end
  local suggestion = shown
  if suggestion then
    local rest = suggestions.rest_shown(suggestion, place)
    local _, right = suggestions.around(place)
    if not rest or not suggestions.follow_right(suggestion, right, rest) then
      shown = nil
    end
    draw(place)
  end
  ask(place, TRIGGER.automatic)
end

--- Ask for the rest of a suggestion that is shown in part.
function M.grow()
  if M.is_visible() and not asked then
    ask(here(), TRIGGER.automatic)
  end
end

--- Hide the suggestion and forget what was asked for.
function M.clear()
  handled = nil
  give_up()
  hide()
end

--- Hide the suggestion until something is typed.
---@return boolean whether there was one
function M.dismiss()
  if not M.is_visible() then
    return false
  end
  give_up()
  hide()
  return true
end

---@return boolean
function M.is_visible()
  return announced and not (config.current.popup == 'hide' and popup.is_visible())
end

--- Insert a part of the suggestion, as one undo step.
---@param kind 'all'|'word'|'line'
---@return boolean whether there was one
function M.accept(kind)
  local suggestion = shown
  if not suggestion or not M.is_visible() then
    return false
  end
  local place = here()
  local item = suggestion.items[suggestion.index]
  local rest = suggestions.rest(suggestion, item, place)
  if not rest then
    return false
  end
  local part = text[kind](rest)
  local is_whole = part == rest
  M.insert(place, part, is_whole and suggestion.replaced or 0)
  if is_whole then
    hide()
    client.execute(suggestion.client_id, item.command, suggestion.bufnr)
  end
  events.fire('FimbleAccepted', { kind = kind, text = part })
  M.update()
  return true
end

--- Write text at the cursor over some bytes right of it, and go behind it.
---@param place fimble.Place
---@param part string
---@param replaced integer
function M.insert(place, part, replaced)
  local lines = vim.split(part, '\n', { plain = true })
  local row, col = place.row, place.col
  -- Setting this option ends an undo step (:help undo-break).
  vim.go.undolevels = vim.go.undolevels
  vim.api.nvim_buf_set_text(place.bufnr, row, col, row, col + replaced, lines)
  vim.go.undolevels = vim.go.undolevels
  local last = #lines[#lines] + (#lines == 1 and col or 0)
  vim.api.nvim_win_set_cursor(0, { row + #lines, last })
end

--- Show another candidate; the first time, the server is asked for all it has.
---@param count integer negative: backwards
---@return boolean whether there was a suggestion
function M.cycle(count)
  local suggestion = shown
  if not suggestion or not M.is_visible() then
    return false
  end
  local function turn()
    if shown == suggestion then
      suggestion.index = (suggestion.index - 1 + count) % #suggestion.items + 1
      draw(here())
    end
  end
  if suggestion.complete then
    turn()
  else
    ask(here(), TRIGGER.invoked, turn)
  end
  return true
end

---@param bufnr integer
---@param group integer
function M.attach(bufnr, group)
  vim.api.nvim_create_autocmd({ 'TextChangedI', 'TextChangedP', 'CursorMovedI' }, {
    group = group,
    buffer = bufnr,
    callback = M.update,
  })
  vim.api.nvim_create_autocmd('InsertEnter', {
    group = group,
    buffer = bufnr,
    -- The cursor is not where it will be yet.
    callback = vim.schedule_wrap(M.update),
  })
  vim.api.nvim_create_autocmd({ 'InsertLeave', 'BufLeave' }, {
    group = group,
    buffer = bufnr,
    callback = M.clear,
  })
  vim.schedule(M.update)
end

---@param bufnr integer
function M.detach(bufnr)
  if bufnr == vim.api.nvim_get_current_buf() then
    M.clear()
  end
end

---@param group integer
function M.start(group)
  popup.watch(group, function()
    if shown and is_inserting() then
      draw(here())
    end
  end)
end

return M
