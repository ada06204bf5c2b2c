(class_declaration [(class_body) (enum_class_body)] @body) @scope
(object_declaration (class_body) @body) @scope
(companion_object (class_body) @body) @scope
(function_declaration (function_body (block) @body)) @scope
(secondary_constructor (block) @body) @scope
(anonymous_initializer (block) @body) @scope
(getter (function_body (block) @body)) @scope
(setter (function_body (block) @body)) @scope
(lambda_literal) @scope
(if_expression (block) @body) @scope
(for_statement (block) @body) @scope
(while_statement (block) @body) @scope
(do_while_statement (block) @body) @scope
(when_expression) @scope
(when_entry (block) @body) @scope
(try_expression (block) @body) @scope
(catch_block (block) @body) @scope
(finally_block (block) @body) @scope
