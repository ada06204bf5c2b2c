((function_call
  name: (identifier) @_require
  arguments: (arguments . (string content: (_) @module))) @import
  (#any-of? @_require "require" "dofile"))
