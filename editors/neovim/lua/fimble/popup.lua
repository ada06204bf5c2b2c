--- Completion menus: Neovim's own, nvim-cmp's and blink.cmp's.
local M = {}

--- Whether a menu is open.
---@return boolean
function M.is_visible()
  if vim.fn.pumvisible() == 1 then
    return true
  end
  -- Asking for a plugin that is not loaded would load it.
  local cmp = package.loaded['cmp']
  if cmp and cmp.visible and cmp.visible() then
    return true
  end
  local blink = package.loaded['blink.cmp']
  local blink_is_visible = blink and (blink.is_menu_visible or blink.is_visible)
  return blink_is_visible ~= nil and blink_is_visible() or false
end

--- Call `changed` when a menu has opened or closed.
---@param group integer
---@param changed fun()
function M.watch(group, changed)
  local later = vim.schedule_wrap(changed)
  vim.api.nvim_create_autocmd({ 'CompleteChanged', 'CompleteDone' }, {
    group = group,
    callback = later,
  })
  vim.api.nvim_create_autocmd('User', {
    group = group,
    pattern = { 'BlinkCmpMenuOpen', 'BlinkCmpMenuClose' },
    callback = later,
  })
  vim.api.nvim_create_autocmd('InsertEnter', {
    group = group,
    once = true,
    callback = function()
      local cmp = package.loaded['cmp']
      if cmp and cmp.event then
        cmp.event:on('menu_opened', later)
        cmp.event:on('menu_closed', later)
      end
    end,
  })
end

return M
