--- The language client: how the server is started, and asking it.
local M = {}

M.NAME = 'fimble'
M.INLINE_COMPLETION = 'textDocument/inlineCompletion'

local IS_0_11 = vim.fn.has('nvim-0.11') == 1

--- How a server is started.
---@type table?
local server

--- What Neovim can do, and inline completion, which it announces itself from 0.12 on; and that
--- we want to hear of each change of the server's status, can ask for what actions need to know,
--- and ask again when a suggestion that the server has given in part is whole.
---@return table
function M.capabilities()
  local capabilities = vim.lsp.protocol.make_client_capabilities()
  capabilities.textDocument.inlineCompletion = { dynamicRegistration = false }
  capabilities.experimental = { fimble = { status = true, ask = true, grow = true } }
  return capabilities
end

--- Start the server for all files that it is for, those that are open included.
---@param config fimble.Config
function M.start(config)
  server = {
    cmd = config.cmd,
    filetypes = config.filetypes,
    root_markers = config.root_markers,
    settings = { fimble = config.settings },
    capabilities = M.capabilities(),
    commands = {
      -- Only here can the user be asked; the menu is the server's.
      ['fimble.ask'] = function(command, context)
        require('fimble.wishes').ask(command, context)
      end,
    },
  }
  if IS_0_11 then
    vim.lsp.config(M.NAME, server)
    vim.lsp.enable(M.NAME)
    return
  end
  local function start(bufnr)
    if vim.bo[bufnr].buftype ~= '' or vim.bo[bufnr].filetype == '' then
      return
    end
    local root = vim.fs.root(bufnr, config.root_markers)
    vim.lsp.start(vim.tbl_extend('force', server, { name = M.NAME, root_dir = root }), {
      bufnr = bufnr,
      -- Files without a root would each get a server, and a model, of their own.
      reuse_client = function(running)
        return running.name == M.NAME and running.config.root_dir == root
      end,
    })
  end
  vim.api.nvim_create_autocmd('FileType', {
    group = vim.api.nvim_create_augroup('fimble.start', {}),
    pattern = config.filetypes or '*',
    callback = function(event)
      start(event.buf)
    end,
  })
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    local wanted = not config.filetypes
      or vim.tbl_contains(config.filetypes, vim.bo[bufnr].filetype)
    if wanted and vim.api.nvim_buf_is_loaded(bufnr) then
      start(bufnr)
    end
  end
end

--- The client of a buffer, or without one any client.
---@param bufnr? integer
---@return vim.lsp.Client?
function M.get(bufnr)
  return vim.lsp.get_clients({ name = M.NAME, bufnr = bufnr })[1]
end

--- Call a method of a client: they became real methods with 0.11.
---@param client vim.lsp.Client
---@param method string
function M.call(client, method, ...)
  if IS_0_11 then
    return client[method](client, ...)
  end
  return client[method](...)
end

--- Ask the server; `handler` gets the result, or nil and a sentence.
---@param method string
---@param params table
---@param handler fun(result: any, problem: string?)
function M.ask(method, params, handler)
  local client = M.get(vim.api.nvim_get_current_buf()) or M.get()
  if not client then
    handler(nil, 'the server is not running; see :checkhealth fimble')
    return
  end
  M.call(client, 'request', method, params, function(err, result)
    handler(result, err and err.message)
  end)
end

--- Change a setting of all servers, those that are started later included.
---@param name string for example 'model'
---@param value any
function M.set(name, value)
  local change = { fimble = { [name] = value } }
  if IS_0_11 then
    vim.lsp.config(M.NAME, { settings = change })
  elseif server then
    server.settings = vim.tbl_deep_extend('force', server.settings, change)
  end
  for _, client in ipairs(vim.lsp.get_clients({ name = M.NAME })) do
    client.settings = vim.tbl_deep_extend('force', client.settings or {}, change)
    M.call(client, 'notify', 'workspace/didChangeConfiguration', { settings = client.settings })
  end
end

--- Do what an accepted suggestion says is to be done.
---@param client_id integer
---@param command? lsp.Command
---@param bufnr integer
function M.execute(client_id, command, bufnr)
  local client = vim.lsp.get_client_by_id(client_id)
  if not client or not command then
    return
  end
  if IS_0_11 then
    client:exec_cmd(command, { bufnr = bufnr })
  else
    -- Without a handler, 0.10 looks for one of its own, has none, and fails.
    client.request('workspace/executeCommand', {
      command = command.command,
      arguments = command.arguments,
    }, function() end, bufnr)
  end
end

--- The byte column of an LSP position.
---@param line string
---@param character integer
---@param encoding string
---@return integer
function M.byte_column(line, character, encoding)
  if encoding == 'utf-8' then
    return math.min(character, #line)
  end
  if IS_0_11 then
    return vim.str_byteindex(line, encoding, character, false)
  end
  local units = select(encoding == 'utf-16' and 2 or 1, vim.str_utfindex(line))
  return vim.str_byteindex(line, math.min(character, units), encoding == 'utf-16')
end

return M
