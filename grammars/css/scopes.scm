(rule_set (block) @body) @scope
(media_statement (block) @body) @scope
(supports_statement (block) @body) @scope
(at_rule (block) @body) @scope
(keyframes_statement (keyframe_block_list) @body) @scope
(keyframe_block (block) @body) @scope
