; No @body here: naming the children of these nodes costs up to 150 ms when it is compiled.
(class_declaration) @scope
(protocol_declaration) @scope
(function_declaration) @scope
(init_declaration) @scope
(deinit_declaration) @scope
(computed_property) @scope
(lambda_literal) @scope
(if_statement) @scope
(guard_statement) @scope
(for_statement) @scope
(while_statement) @scope
(repeat_while_statement) @scope
(do_statement) @scope
(catch_block) @scope
(switch_statement) @scope
(switch_entry) @scope
