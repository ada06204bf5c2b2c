(namespace_use_clause [(name) (qualified_name)] @module) @import
[
  (require_expression (string (string_content) @module))
  (require_once_expression (string (string_content) @module))
  (include_expression (string (string_content) @module))
  (include_once_expression (string (string_content) @module))
] @import
