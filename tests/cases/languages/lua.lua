local str = require("string")
local cup = require 'cup'

local LIMIT = 3
local Shelf = {}

--- Holds cups.
function Shelf.new(cups)
  return setmetatable({ cups = cups }, Shelf)
end

function Shelf:count()
  for _, one in ipairs(self.cups) do
    if one then
      print("cup " .. one)
    end
  end
  return math.min(#self.cups, LIMIT)
end

local function pour(shelf)
  while shelf:count() > 0 do
    shelf:pop()
  end
end

local wash = function(shelf)
  shelf.clean = [[yes]]
end

return { Shelf = Shelf, pour = pour }
