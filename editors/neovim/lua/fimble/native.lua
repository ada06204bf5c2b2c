--- Inline completion by Neovim itself, from 0.12 on. It asks, waits and draws by its own rules.
local M = {}

local client = require('fimble.client')
local config = require('fimble.config')
local events = require('fimble.events')
local own = require('fimble.own')
local popup = require('fimble.popup')
local text = require('fimble.text')

local NAMESPACE = 'nvim.lsp.inline_completion'

---@return boolean
function M.is_available()
  return vim.lsp.inline_completion ~= nil
end

---@param bufnr integer
function M.attach(bufnr)
  vim.lsp.inline_completion.enable(true, { bufnr = bufnr })
end

--- Neovim goes on in a buffer until it is told to stop there.
---@param bufnr integer
function M.detach(bufnr)
  if vim.lsp.inline_completion.is_enabled({ bufnr = bufnr }) then
    vim.lsp.inline_completion.enable(false, { bufnr = bufnr })
  end
end

function M.start() end

---@return boolean
function M.is_visible()
  local namespace = vim.api.nvim_get_namespaces()[NAMESPACE]
  if not namespace or (config.current.popup == 'hide' and popup.is_visible()) then
    return false
  end
  return #vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { limit = 1 }) > 0
end

--- Have Neovim ask anew, as if the cursor had moved.
function M.grow()
  if not M.is_visible() then
    return
  end
  local moved = vim.api.nvim_get_autocmds({ event = 'CursorMovedI', buffer = 0 })
  for _, one in ipairs(moved) do
    if vim.startswith(one.group_name or '', NAMESPACE) then
      vim.api.nvim_exec_autocmds('CursorMovedI', { group = one.group, buffer = 0 })
    end
  end
end

--- What of an item's text is still to come at a place, and how many bytes right of the place it
--- replaces. The fields of `vim.Range` have moved once.
---@param item table
---@param place fimble.Place
---@return string rest, integer replaced
local function rest_of(item, place)
  local range = item.range
  if not range then
    return item.insert_text, 0
  end
  local first, last = range.start or range, range.end_ or range
  local row, col = first.start_row or first.row, first.start_col or first.col
  local typed = vim.api.nvim_buf_get_text(place.bufnr, row, col, place.row, place.col, {})
  local is_here = (last.end_row or last.row) == place.row
  local replaced = is_here and (last.end_col or last.col) - place.col or 0
  return item.insert_text:sub(#table.concat(typed, '\n') + 1), math.max(replaced, 0)
end

---@param kind 'word'|'line'
---@param item table
local function accept_part(kind, item)
  if type(item.insert_text) ~= 'string' then
    return
  end
  local cursor = vim.api.nvim_win_get_cursor(0)
  local place = {
    bufnr = vim.api.nvim_get_current_buf(),
    tick = 0,
    row = cursor[1] - 1,
    col = cursor[2],
  }
  local rest, replaced = rest_of(item, place)
  local part = text[kind](rest)
  local is_whole = part == rest
  own.insert(place, part, is_whole and replaced or 0)
  if is_whole then
    client.execute(item.client_id, item.command, place.bufnr)
  end
  events.fire('FimbleAccepted', { kind = kind, text = part })
end

---@param kind 'all'|'word'|'line'
---@return boolean
function M.accept(kind)
  if not M.is_visible() then
    return false
  end
  if kind ~= 'all' then
    return vim.lsp.inline_completion.get({
      on_accept = function(item)
        accept_part(kind, item)
      end,
    })
  end
  -- Neovim inserts it a moment later, and between these two it is an undo step of its own.
  return vim.lsp.inline_completion.get({
    on_accept = function(item)
      vim.go.undolevels = vim.go.undolevels
      vim.schedule(function()
        vim.go.undolevels = vim.go.undolevels
        events.fire('FimbleAccepted', { kind = kind })
      end)
      return item
    end,
  })
end

---@param count integer
---@return boolean
function M.cycle(count)
  if not M.is_visible() then
    return false
  end
  vim.lsp.inline_completion.select({ count = count })
  return true
end

---@return boolean
function M.dismiss()
  if not M.is_visible() then
    return false
  end
  -- It asks anew where it was switched off.
  local bufnr = vim.api.nvim_get_current_buf()
  M.detach(bufnr)
  M.attach(bufnr)
  return true
end

return M
