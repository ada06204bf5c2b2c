(element (start_tag) (end_tag)) @scope
(script_element (raw_text) @body) @scope
(style_element (raw_text) @body) @scope
