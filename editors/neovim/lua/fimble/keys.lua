--- Mappings that do what the key did before wherever no suggestion is shown.
local M = {}

local popup = require('fimble.popup')

-- Under these descriptions our own mappings are known again, and shown by :map.
local DESCRIPTIONS = {
  accept = 'Fimble: accept the suggestion',
  accept_word = 'Fimble: accept the next word',
  accept_line = 'Fimble: accept the next line',
  next = 'Fimble: next suggestion',
  previous = 'Fimble: previous suggestion',
  dismiss = 'Fimble: dismiss the suggestion',
}

---@param keys string
---@return string
local function termcodes(keys)
  return vim.api.nvim_replace_termcodes(keys, true, true, true)
end

--- What a key did before: the keys that an expression mapping is to return.
---@param lhs string
---@param before table as `maparg` describes it; empty: not mapped
---@return string
local function fall_through(lhs, before)
  local rhs = before.rhs
  if before.callback and before.expr ~= 1 then
    vim.schedule(before.callback)
    return ''
  end
  if before.expr == 1 then
    rhs = before.callback and before.callback() or vim.api.nvim_eval(before.rhs)
    rhs = type(rhs) == 'string' and rhs or ''
    rhs = before.replace_keycodes == 1 and termcodes(rhs) or rhs
  elseif rhs then
    rhs = termcodes(rhs)
  end
  if not rhs then
    return termcodes(lhs)
  end
  if before.noremap == 1 then
    return rhs
  end
  vim.api.nvim_feedkeys(rhs, 'mi', false)
  return ''
end

--- Whether a key is needed for something older: a menu or the places of a snippet.
---@return boolean
local function is_taken()
  if popup.is_visible() then
    return true
  end
  return vim.snippet ~= nil and vim.snippet.active({ direction = 1 })
end

---@param name string
---@param lhs string
local function map(name, lhs)
  local before = vim.fn.maparg(lhs, 'i', false, true)
  if before.desc == DESCRIPTIONS[name] then
    return
  end
  local action = termcodes(("<Cmd>lua require('fimble').%s()<CR>"):format(name))
  vim.keymap.set('i', lhs, function()
    if require('fimble').is_visible() and not is_taken() then
      return action
    end
    return fall_through(lhs, before)
  end, { expr = true, replace_keycodes = false, desc = DESCRIPTIONS[name] })
end

---@param keys fimble.Keys
function M.map(keys)
  for name, lhs in pairs(keys) do
    if lhs then
      map(name, lhs)
    end
  end
end

return M
