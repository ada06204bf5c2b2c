(create_table (object_reference) @name) @definition.class
(create_view (object_reference) @name) @definition.class
(create_materialized_view (object_reference) @name) @definition.class
(create_type (object_reference) @name) @definition.type
(create_function (object_reference) @name) @definition.function
(create_trigger (keyword_trigger) . (object_reference) @name) @definition.function
(create_index column: (identifier) @name) @definition.index
(cte (identifier) @name) @definition.variable
