(rule_set (selectors) @name) @definition.rule
(keyframes_statement (keyframes_name) @name) @definition.function
(declaration (property_name) @name
  (#match? @name "^--")) @definition.variable
