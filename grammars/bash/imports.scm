((command
  name: (command_name) @_source
  argument: [(word) (string) (raw_string)] @module) @import
  (#any-of? @_source "source" "."))
