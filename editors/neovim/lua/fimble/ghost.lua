--- Draws a suggestion behind the cursor, as an extmark that is only touched when it changes.
local M = {}

local text = require('fimble.text')

M.namespace = vim.api.nvim_create_namespace('fimble')

local MARK = 1

---@class fimble.Drawing
---@field bufnr integer
---@field row integer
---@field col integer
---@field rest string
---@field right string what stands right of the cursor
---@field replaced integer how many bytes of it will be replaced
---@field counter string

---@type fimble.Drawing?
local drawn

--- Links the groups, unless the user's colours have them; again after each colour scheme.
function M.define_highlights()
  vim.api.nvim_set_hl(0, 'FimbleSuggestion', { default = true, link = 'NonText' })
  vim.api.nvim_set_hl(0, 'FimbleCounter', { default = true, link = 'FimbleSuggestion' })
end

---@param drawing fimble.Drawing
function M.draw(drawing)
  if vim.deep_equal(drawn, drawing) then
    return
  end
  if drawn and drawn.bufnr ~= drawing.bufnr then
    M.clear()
  end
  local lines, is_cut = M.lines(drawing)
  local first = table.remove(lines, 1)
  if drawing.counter ~= '' then
    first[#first + 1] = { drawing.counter, 'FimbleCounter' }
  end
  vim.api.nvim_buf_set_extmark(drawing.bufnr, M.namespace, drawing.row, drawing.col, {
    id = MARK,
    virt_text = first,
    virt_text_pos = is_cut and 'overlay' or 'inline',
    virt_lines = lines,
    -- Not the colour of what stands there, say, of a matching bracket.
    hl_mode = 'replace',
    right_gravity = true,
    undo_restore = false,
  })
  drawn = drawing
end

--- The virtual lines. Of one line, what is to be replaced stays visible, so the ghost does not
--- repeat it; several go between the halves of the line, so the right one is covered and repeated.
---@param drawing fimble.Drawing
---@return [string, string][][], boolean is_cut whether several go between the halves of a line
function M.lines(drawing)
  local rest = drawing.rest
  local replaced = drawing.right:sub(1, drawing.replaced)
  local is_cut = drawing.right ~= '' and rest:find('\n', 1, true) ~= nil
  if replaced ~= '' and vim.endswith(rest, replaced) and not is_cut then
    rest = rest:sub(1, -#replaced - 1)
  end
  local tabstop = vim.bo[drawing.bufnr].tabstop
  local column = vim.fn.virtcol('.') - 1
  local lines = {}
  for line in vim.gsplit(rest, '\n', { plain = true }) do
    lines[#lines + 1] = { { text.expand(line, column, tabstop), 'FimbleSuggestion' } }
    column = 0
  end
  if is_cut then
    local first, last = lines[1], lines[#lines]
    local covered = vim.fn.strdisplaywidth(drawing.right) - vim.fn.strdisplaywidth(first[1][1])
    first[#first + 1] = { (' '):rep(covered), 'Normal' }
    last[#last + 1] = { drawing.right:sub(drawing.replaced + 1), 'Normal' }
  end
  return lines, is_cut
end

function M.clear()
  if drawn and vim.api.nvim_buf_is_valid(drawn.bufnr) then
    vim.api.nvim_buf_del_extmark(drawn.bufnr, M.namespace, MARK)
  end
  drawn = nil
end

return M
