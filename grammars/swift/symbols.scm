; Without a @name the node's field of that name counts. Naming the children of these nodes here
; costs up to 150 ms when the query is compiled; the grammar has very many forms of them.
(class_declaration) @definition.class
(class_declaration "enum") @definition.enum
(class_declaration "extension") @definition.implementation
(protocol_declaration) @definition.interface
(protocol_function_declaration) @definition.method
(function_declaration) @definition.function
(class_body (function_declaration) @definition.method)
(enum_class_body (function_declaration) @definition.method)
(init_declaration "init" @name) @definition.method
(typealias_declaration) @definition.type
(source_file (property_declaration name: (pattern) @name) @definition.variable)
(class_body (property_declaration name: (pattern) @name) @definition.variable)
