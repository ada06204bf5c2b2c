; The bodies stand by themselves: naming the children of the nodes below costs up to 150 ms when it
; is compiled.
(function_body) @body
(class_body) @body
(enum_class_body) @body
(protocol_body) @body
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
