(function_declaration body: (statement_block) @body) @scope
(function_expression body: (statement_block) @body) @scope
(generator_function body: (statement_block) @body) @scope
(generator_function_declaration body: (statement_block) @body) @scope
(arrow_function body: (statement_block) @body) @scope
(method_definition body: (statement_block) @body) @scope
(class_declaration body: (class_body) @body) @scope
(class body: (class_body) @body) @scope
(class_static_block body: (statement_block) @body) @scope
(if_statement consequence: (statement_block) @body) @scope
(else_clause (statement_block) @body) @scope
(for_statement body: (statement_block) @body) @scope
(for_in_statement body: (statement_block) @body) @scope
(while_statement body: (statement_block) @body) @scope
(do_statement body: (statement_block) @body) @scope
(try_statement body: (statement_block) @body) @scope
(catch_clause body: (statement_block) @body) @scope
(finally_clause body: (statement_block) @body) @scope
(switch_statement body: (switch_body) @body) @scope

(abstract_class_declaration body: (class_body) @body) @scope
(interface_declaration body: (interface_body) @body) @scope
(enum_declaration body: (enum_body) @body) @scope
(internal_module body: (statement_block) @body) @scope
(module body: (statement_block) @body) @scope
