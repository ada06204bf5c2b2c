((html_block) @comment
  (#match? @comment "^<!--"))
(fenced_code_block) @string
(indented_code_block) @string
