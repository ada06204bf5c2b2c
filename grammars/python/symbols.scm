(function_definition name: (identifier) @name) @definition.function

(class_definition
  body: (block
    [
      (function_definition name: (identifier) @name) @definition.method
      (decorated_definition
        definition: (function_definition name: (identifier) @name) @definition.method)
    ]))

(class_definition name: (identifier) @name) @definition.class

(module (expression_statement (assignment left: (identifier) @name) @definition.variable))
