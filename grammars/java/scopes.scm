(class_declaration body: (class_body) @body) @scope
(object_creation_expression (class_body) @body) @scope
(record_declaration body: (class_body) @body) @scope
(interface_declaration body: (interface_body) @body) @scope
(annotation_type_declaration body: (annotation_type_body) @body) @scope
(enum_declaration body: (enum_body) @body) @scope
(constructor_declaration body: (constructor_body) @body) @scope
(method_declaration body: (block) @body) @scope
(static_initializer (block) @body) @scope
(lambda_expression body: (block) @body) @scope
(if_statement consequence: (block) @body) @scope
(if_statement alternative: (block) @body) @scope
(for_statement body: (block) @body) @scope
(enhanced_for_statement body: (block) @body) @scope
(while_statement body: (block) @body) @scope
(do_statement body: (block) @body) @scope
(try_statement body: (block) @body) @scope
(try_with_resources_statement body: (block) @body) @scope
(catch_clause body: (block) @body) @scope
(finally_clause (block) @body) @scope
(synchronized_statement body: (block) @body) @scope
(switch_expression body: (switch_block) @body) @scope
