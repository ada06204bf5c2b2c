(import_statement (string_value (string_content) @module)) @import
(import_statement
  (call_expression (arguments (string_value (string_content) @module)))) @import
