(class_declaration name: (identifier) @name) @definition.class
(class_declaration "interface" name: (identifier) @name) @definition.interface
(class_declaration name: (identifier) @name (enum_class_body)) @definition.enum
(object_declaration name: (identifier) @name) @definition.class
(function_declaration name: (identifier) @name) @definition.function
(class_body (function_declaration name: (identifier) @name) @definition.method)
(type_alias type: (identifier) @name) @definition.type
(source_file (property_declaration
  (variable_declaration (identifier) @name)) @definition.variable)
(class_body (property_declaration
  (variable_declaration (identifier) @name)) @definition.variable)
