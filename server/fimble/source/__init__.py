"""Source code as data: text, positions, languages and syntax trees. Knows nothing above it."""
