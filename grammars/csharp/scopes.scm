(namespace_declaration body: (declaration_list) @body) @scope
(class_declaration body: (declaration_list) @body) @scope
(struct_declaration body: (declaration_list) @body) @scope
(record_declaration body: (declaration_list) @body) @scope
(interface_declaration body: (declaration_list) @body) @scope
(enum_declaration body: (enum_member_declaration_list) @body) @scope
(constructor_declaration body: (block) @body) @scope
(destructor_declaration body: (block) @body) @scope
(method_declaration body: (block) @body) @scope
(operator_declaration body: (block) @body) @scope
(local_function_statement body: (block) @body) @scope
(property_declaration accessors: (accessor_list) @body) @scope
(accessor_declaration body: (block) @body) @scope
(lambda_expression) @scope
(if_statement consequence: (block) @body) @scope
(if_statement alternative: (block) @body) @scope
(for_statement body: (block) @body) @scope
(foreach_statement body: (block) @body) @scope
(while_statement body: (block) @body) @scope
(do_statement body: (block) @body) @scope
(using_statement body: (block) @body) @scope
(lock_statement (block) @body) @scope
(try_statement body: (block) @body) @scope
(catch_clause body: (block) @body) @scope
(finally_clause (block) @body) @scope
(switch_statement body: (switch_body) @body) @scope
