--- Suggestions: made from the server's answers, and what is left of them at a place in the text.
local M = {}

local client = require('fimble.client')

---@class fimble.Place where the cursor was, in which state of the buffer
---@field bufnr integer
---@field tick integer
---@field row integer from 0
---@field col integer in bytes, from 0

---@class fimble.Item
---@field text string
---@field command? lsp.Command

---@class fimble.Suggestion
---@field client_id integer
---@field bufnr integer
---@field row integer where the items' texts begin
---@field col integer
---@field right string what stands right of the cursor
---@field replaced integer how many bytes of it an item replaces
---@field items fimble.Item[]
---@field index integer
---@field complete boolean whether more candidates were asked for already

---@param place fimble.Place
---@return string left, string right
function M.around(place)
  local line = vim.api.nvim_buf_get_lines(place.bufnr, place.row, place.row + 1, false)[1] or ''
  return line:sub(1, place.col), line:sub(place.col + 1)
end

--- What of an item is still to come at a place, or nil if the text went another way.
---@param suggestion fimble.Suggestion
---@param item fimble.Item
---@param place fimble.Place
---@return string?
function M.rest(suggestion, item, place)
  if place.bufnr ~= suggestion.bufnr or place.row < suggestion.row then
    return nil
  end
  if place.row == suggestion.row and place.col < suggestion.col then
    return nil
  end
  local typed = table.concat(
    vim.api.nvim_buf_get_text(place.bufnr, suggestion.row, suggestion.col, place.row, place.col, {}),
    '\n'
  )
  return vim.startswith(item.text, typed) and item.text:sub(#typed + 1) or nil
end

--- The same of the item that is shown.
---@param suggestion fimble.Suggestion
---@param place fimble.Place
---@return string?
function M.rest_shown(suggestion, place)
  return M.rest(suggestion, suggestion.items[suggestion.index], place)
end

--- Take closing signs into account that a plugin for pairs has put behind the cursor.
---@param suggestion fimble.Suggestion
---@param right string
---@param rest string
---@return boolean whether the text right of the cursor is as it should be
function M.follow_right(suggestion, right, rest)
  if right == suggestion.right then
    return true
  end
  local added = #right - #suggestion.right
  local closers = right:sub(1, math.max(added, 0))
  local is_pair = closers:match('^[%)%]}"\'`]+$')
    and right:sub(added + 1) == suggestion.right
    and rest:find(closers, 1, true)
  if not is_pair then
    return false
  end
  suggestion.right = right
  suggestion.replaced = suggestion.replaced + added
  return true
end

--- The suggestion that an answer makes at a place, or nil.
---@param answer any
---@param place fimble.Place
---@param from vim.lsp.Client
---@return fimble.Suggestion?
function M.read(answer, place, from)
  local left, right = M.around(place)
  ---@type fimble.Suggestion
  local suggestion = {
    client_id = from.id,
    bufnr = place.bufnr,
    row = place.row,
    col = place.col,
    right = right,
    replaced = 0,
    items = {},
    index = 1,
    complete = false,
  }
  local range
  for _, item in ipairs(answer and (answer.items or answer) or {}) do
    -- All items must be for one range; nothing else could be drawn in one place.
    range = range or item.range
    local is_plain = type(item.insertText) == 'string'
    if is_plain and item.insertText ~= '' and vim.deep_equal(range, item.range) then
      local lines = item.insertText:gsub('\r\n?', '\n')
      table.insert(suggestion.items, { text = lines, command = item.command })
    end
  end
  if range then
    local is_here = range.start.line == place.row and range['end'].line == place.row
    if not is_here then
      return nil
    end
    local encoding = from.offset_encoding
    suggestion.col = client.byte_column(left .. right, range.start.character, encoding)
    local last = client.byte_column(left .. right, range['end'].character, encoding)
    suggestion.replaced = math.max(last - place.col, 0)
  end
  local first = suggestion.items[1]
  return first and M.rest(suggestion, first, place) and suggestion or nil
end

--- Whether a suggestion is better kept than replaced by a new one: it would only flicker.
---@param suggestion fimble.Suggestion
---@param new fimble.Suggestion
---@param place fimble.Place
---@return boolean
function M.keeps(suggestion, new, place)
  local rest = M.rest_shown(suggestion, place)
  local offered = M.rest(new, new.items[1], place)
  return rest ~= nil and rest ~= '' and not vim.startswith(offered or '', rest)
end

--- Put the candidates of another answer behind those of a suggestion.
---@param suggestion fimble.Suggestion
---@param new fimble.Suggestion
---@param place fimble.Place
function M.add(suggestion, new, place)
  local seen = {}
  for _, item in ipairs(suggestion.items) do
    seen[M.rest(suggestion, item, place) or false] = true
  end
  local typed = suggestion.items[suggestion.index].text
  typed = typed:sub(1, #typed - #M.rest_shown(suggestion, place))
  for _, item in ipairs(new.items) do
    local rest = M.rest(new, item, place)
    if rest and not seen[rest] then
      seen[rest] = true
      table.insert(suggestion.items, { text = typed .. rest, command = item.command })
    end
  end
end

return M
