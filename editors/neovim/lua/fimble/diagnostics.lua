--- What other servers and linters complain of, for our quick fixes: by itself, Neovim tells a
--- server only what that server has said.
local M = {}

local CODE_ACTION = 'textDocument/codeAction'

--- Clients that are told already.
---@type table<integer, true>
local told = {}

---@param bufnr integer
---@param row integer
---@param col integer in bytes
---@param encoding string
---@return lsp.Position
local function position(bufnr, row, col, encoding)
  local line = vim.api.nvim_buf_get_lines(bufnr, row, row + 1, false)[1] or ''
  local before = line:sub(1, col)
  local characters = {
    ['utf-8'] = #before,
    ['utf-16'] = vim.fn.strutf16len(before),
    ['utf-32'] = vim.fn.strchars(before),
  }
  return { line = row, character = characters[encoding] }
end

---@param diagnostic vim.Diagnostic
---@param encoding string
---@return lsp.Diagnostic
local function to_lsp(diagnostic, encoding)
  local bufnr = diagnostic.bufnr
  local sent = vim.tbl_get(diagnostic, 'user_data', 'lsp') or {}
  return {
    range = {
      start = position(bufnr, diagnostic.lnum, diagnostic.col, encoding),
      ['end'] = position(bufnr, diagnostic.end_lnum, diagnostic.end_col, encoding),
    },
    severity = diagnostic.severity,
    message = diagnostic.message,
    source = diagnostic.source,
    code = diagnostic.code,
    relatedInformation = sent.relatedInformation,
  }
end

--- All that touch these lines, from 0.
---@param bufnr integer
---@param first integer
---@param last integer
---@param encoding string
---@return lsp.Diagnostic[]
local function between(bufnr, first, last, encoding)
  local found = {}
  for _, diagnostic in ipairs(vim.diagnostic.get(bufnr)) do
    if diagnostic.lnum <= last and diagnostic.end_lnum >= first then
      table.insert(found, to_lsp(diagnostic, encoding))
    end
  end
  return found
end

--- Add them whenever a server is asked for code actions, unless it is given some anyway.
---@param client vim.lsp.Client
function M.tell(client)
  if told[client.id] then
    return
  end
  told[client.id] = true
  local request = client.rpc.request
  client.rpc.request = function(method, params, ...)
    if method == CODE_ACTION and vim.tbl_isempty(params.context.diagnostics or {}) then
      local bufnr = vim.uri_to_bufnr(params.textDocument.uri)
      local first, last = params.range.start.line, params.range['end'].line
      local found = between(bufnr, first, last, client.offset_encoding)
      params = vim.deepcopy(params)
      params.context.diagnostics = found
    end
    return request(method, params, ...)
  end
end

return M
