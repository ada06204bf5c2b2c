(function_declaration body: (block) @body) @scope
(method_declaration body: (block) @body) @scope
(func_literal body: (block) @body) @scope
(type_spec type: (struct_type (field_declaration_list) @body)) @scope
(type_spec type: (interface_type) @body) @scope
(if_statement consequence: (block) @body) @scope
(if_statement alternative: (block) @body) @scope
(for_statement body: (block) @body) @scope
(expression_switch_statement) @scope
(type_switch_statement) @scope
(select_statement) @scope
