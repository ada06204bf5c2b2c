if vim.g.loaded_fimble then
  return
end
vim.g.loaded_fimble = true

vim.api.nvim_create_user_command('Fimble', function(args)
  require('fimble.command').run(args)
end, {
  nargs = '+',
  bang = true,
  range = true,
  desc = 'Fimble: enable, disable, toggle, status, why, model, instruct, translate, log',
  complete = function(lead, line)
    return require('fimble.command').complete(lead, line)
  end,
})
