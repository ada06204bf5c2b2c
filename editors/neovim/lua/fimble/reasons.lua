--- The server's reason codes as sentences, for `:Fimble why`.
return {
  shown = 'A suggestion was made.',
  empty = 'The model had nothing useful to say.',
  duplicate = 'What the model said stands there already.',
  parse = 'With the suggestion the file would parse worse.',
  low_confidence = 'The model was not sure enough.',
  mid_word = 'The cursor is inside a word.',
  in_comment = 'The cursor is in a comment.',
  in_string = 'The cursor is in a string.',
  disabled = 'Suggestions are switched off for this file by the settings.',
  loading = 'The model is still loading.',
  down = "The model's process died and is being started again.",
  failed = 'The model cannot be used; see :Fimble status.',
  cancelled = 'The request was withdrawn.',
  stale = 'You typed on before the answer was there.',
}
