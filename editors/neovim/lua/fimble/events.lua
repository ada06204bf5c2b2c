--- User autocommands: FimbleShown, FimbleHidden, FimbleAccepted, FimbleAsked, FimbleAnswered,
--- FimbleStatus.
local M = {}

---@param name string
---@param data? table
function M.fire(name, data)
  vim.api.nvim_exec_autocmds('User', { pattern = name, data = data, modeline = false })
end

return M
