(function_definition body: (compound_statement) @body) @scope
(struct_specifier body: (field_declaration_list) @body) @scope
(union_specifier body: (field_declaration_list) @body) @scope
(enum_specifier body: (enumerator_list) @body) @scope
(if_statement consequence: (compound_statement) @body) @scope
(else_clause (compound_statement) @body) @scope
(for_statement body: (compound_statement) @body) @scope
(while_statement body: (compound_statement) @body) @scope
(do_statement body: (compound_statement) @body) @scope
(switch_statement body: (compound_statement) @body) @scope

(class_specifier body: (field_declaration_list) @body) @scope
(namespace_definition body: (declaration_list) @body) @scope
(lambda_expression body: (compound_statement) @body) @scope
(for_range_loop body: (compound_statement) @body) @scope
(try_statement body: (compound_statement) @body) @scope
(catch_clause body: (compound_statement) @body) @scope
