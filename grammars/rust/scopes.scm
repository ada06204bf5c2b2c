(function_item body: (block) @body) @scope
(closure_expression body: (block) @body) @scope
(impl_item body: (declaration_list) @body) @scope
(trait_item body: (declaration_list) @body) @scope
(mod_item body: (declaration_list) @body) @scope
(struct_item body: (field_declaration_list) @body) @scope
(enum_item body: (enum_variant_list) @body) @scope
(if_expression consequence: (block) @body) @scope
(else_clause (block) @body) @scope
(for_expression body: (block) @body) @scope
(while_expression body: (block) @body) @scope
(loop_expression body: (block) @body) @scope
(match_expression body: (match_block) @body) @scope
(match_arm value: (block) @body) @scope
(unsafe_block (block) @body) @scope
(async_block (block) @body) @scope
