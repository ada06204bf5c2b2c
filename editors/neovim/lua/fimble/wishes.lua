--- What the user says in words, which only an editor can ask for: `:Fimble instruct` and its like.
local M = {}

local client = require('fimble.client')

---@param message string
local function warn(message)
  vim.notify('Fimble: ' .. message, vim.log.levels.WARN)
end

--- Have a command of the server carried out in the lines of a range, or at the cursor.
---@param command string
---@param args table as a user command gets them
---@param more table<string, string>
local function carry_out(command, args, more)
  local server = client.get(vim.api.nvim_get_current_buf())
  if not server then
    warn('the server does not run for this buffer; see :checkhealth fimble')
    return
  end
  local is_selection = args.range > 0
  local first = { line = args.line1 - 1, character = 0 }
  local last = { line = is_selection and args.line2 or args.line1 - 1, character = 0 }
  local bufnr = vim.api.nvim_get_current_buf()
  local wish = { uri = vim.uri_from_bufnr(bufnr), range = { start = first, ['end'] = last } }
  client.execute(server.id, {
    title = 'Fimble',
    command = command,
    arguments = { vim.tbl_extend('error', wish, more) },
  }, bufnr)
end

--- Edit the lines, or the function around the cursor, as the user says.
---@param args table
function M.instruct(args)
  local function edit(instruction)
    if instruction and instruction ~= '' then
      carry_out('fimble.instruct', args, { instruction = instruction })
    end
  end
  local said = table.concat(vim.list_slice(args.fargs, 2), ' ')
  if said ~= '' then
    edit(said)
  else
    vim.ui.input({ prompt = 'Edit: ' }, edit)
  end
end

--- Let the user choose a language to translate into.
---@param translate fun(to: string)
local function with_language(translate)
  client.ask('fimble/languages', vim.empty_dict(), function(languages, problem)
    if problem then
      warn(problem)
      return
    end
    local options = {
      prompt = 'Translate into',
      format_item = function(language)
        return language.name
      end,
    }
    vim.ui.select(languages, options, function(choice)
      if choice then
        translate(choice.id)
      end
    end)
  end)
end

--- Translate the lines, or all of the file, into another language.
---@param args table
function M.translate(args)
  local function translate(to)
    carry_out('fimble.translate', args, { to = to })
  end
  if args.fargs[2] then
    translate(args.fargs[2])
    return
  end
  with_language(translate)
end

--- Ask what an action of the menu wants to know, and have it carried out.
---@param command lsp.Command its arguments are the action's data and the name of the option
---@param context { client_id: integer, bufnr: integer }
function M.ask(command, context)
  local data, asks = command.arguments[1], command.arguments[2]
  local function carry_on(answer)
    if answer and answer ~= '' then
      data.options = vim.tbl_extend('force', data.options or {}, { [asks] = answer })
      client.execute(context.client_id, {
        title = command.title,
        command = 'fimble.act',
        arguments = { data },
      }, context.bufnr)
    end
  end
  if asks == 'to' then
    with_language(carry_on)
  else
    vim.ui.input({ prompt = command.title .. ' ' }, carry_on)
  end
end

return M
