(module body: (body_statement) @body) @scope
(class body: (body_statement) @body) @scope
(singleton_class body: (body_statement) @body) @scope
(method body: (body_statement) @body) @scope
(singleton_method body: (body_statement) @body) @scope
(do_block body: (body_statement) @body) @scope
(block body: (block_body) @body) @scope
(begin) @scope
(if consequence: (then) @body) @scope
(elsif consequence: (then) @body) @scope
(else) @scope
(unless consequence: (then) @body) @scope
(while body: (do) @body) @scope
(until body: (do) @body) @scope
(for body: (do) @body) @scope
(case) @scope
(when body: (then) @body) @scope
