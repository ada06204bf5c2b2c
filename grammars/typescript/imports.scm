(import_require_clause source: (string (string_fragment) @module)) @import

(import_statement source: (string (string_fragment) @module)) @import
(export_statement source: (string (string_fragment) @module)) @import

((call_expression
  function: (identifier) @_require
  arguments: (arguments . (string (string_fragment) @module))) @import
  (#eq? @_require "require"))
((call_expression
  function: (import)
  arguments: (arguments . (string (string_fragment) @module))) @import)
