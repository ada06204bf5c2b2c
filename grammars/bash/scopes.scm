(function_definition body: (compound_statement) @body) @scope
(subshell) @scope
(if_statement) @scope
(elif_clause) @scope
(else_clause) @scope
(for_statement body: (do_group) @body) @scope
(c_style_for_statement body: (do_group) @body) @scope
(while_statement body: (do_group) @body) @scope
(case_statement) @scope
(case_item) @scope
