--- Pieces of a suggestion's text.
local M = {}

-- A word with what is left of it, or a run of other signs. \_s matches the end of a line as well.
local WORD = [[^\_s*\%(\k\+\|\%(\k\@![^[:blank:]\n]\)\+\)]]

--- The next word, with white space and line ends before it.
---@param text string
---@return string
function M.word(text)
  local word = vim.fn.matchstr(text, WORD)
  return word ~= '' and word or text
end

--- The rest of this line or, at its end, the next line; without the line end behind it.
---@param text string
---@return string
function M.line(text)
  return text:match('^\n*[^\n]*')
end

---@param text string
---@return string
function M.all(text)
  return text
end

--- Replace tabs by spaces, because virtual text does not show them.
---@param line string
---@param column integer the screen column where the line begins
---@param tabstop integer
---@return string
function M.expand(line, column, tabstop)
  if not line:find('\t', 1, true) then
    return line
  end
  local parts = {}
  for before, tab in line:gmatch('([^\t]*)(\t?)') do
    parts[#parts + 1] = before
    column = column + vim.fn.strdisplaywidth(before, column)
    if tab ~= '' then
      local width = tabstop - column % tabstop
      parts[#parts + 1] = (' '):rep(width)
      column = column + width
    end
  end
  return table.concat(parts)
end

return M
