(statement) @scope
(create_table (column_definitions) @body) @scope
(create_function (function_body) @body) @scope
(subquery) @scope
(cte) @scope
