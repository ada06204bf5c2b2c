(function_definition body: (block) @body) @scope
(class_definition body: (block) @body) @scope
(if_statement consequence: (block) @body) @scope
(elif_clause consequence: (block) @body) @scope
(else_clause body: (block) @body) @scope
(for_statement body: (block) @body) @scope
(while_statement body: (block) @body) @scope
(with_statement body: (block) @body) @scope
(try_statement body: (block) @body) @scope
(except_clause (block) @body) @scope
(finally_clause (block) @body) @scope
(match_statement body: (block) @body) @scope
(case_clause consequence: (block) @body) @scope
