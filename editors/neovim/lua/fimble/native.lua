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

function M.start() end

function M.clear()
  local bufnr = vim.api.nvim_get_current_buf()
  if vim.lsp.inline_completion.is_enabled({ bufnr = bufnr }) then
    vim.lsp.inline_completion.enable(false, { bufnr = bufnr })
  end
end

--- Ask anew where it was switched off.
function M.update()
  vim.lsp.inline_completion.enable(true, { bufnr = vim.api.nvim_get_current_buf() })
end

---@return boolean
function M.is_visible()
  local namespace = vim.api.nvim_get_namespaces()[NAMESPACE]
  if not namespace or (config.current.popup == 'hide' and popup.is_visible()) then
    return false
  end
  return #vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { limit = 1 }) > 0
end

--- Where an item's text begins; the fields of `vim.Range` have moved once.
---@param item table
---@return integer? row, integer? col
local function start_of(item)
  local range = item.range
  if not range then
    return nil, nil
  end
  local start = range.start or {}
  return range.start_row or start.row, range.start_col or start.col
end

---@param kind 'word'|'line'
---@param item table
local function accept_part(kind, item)
  local cursor = vim.api.nvim_win_get_cursor(0)
  local place = {
    bufnr = vim.api.nvim_get_current_buf(),
    tick = 0,
    row = cursor[1] - 1,
    col = cursor[2],
  }
  local row, col = start_of(item)
  local rest = item.insert_text
  if type(rest) ~= 'string' then
    return
  end
  if row then
    local typed = vim.api.nvim_buf_get_text(place.bufnr, row, col, place.row, place.col, {})
    rest = rest:sub(#table.concat(typed, '\n') + 1)
  end
  local part = text[kind](rest)
  own.insert(place, part, 0)
  if part == rest then
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
  M.clear()
  M.update()
  return true
end

return M
