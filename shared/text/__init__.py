"""Characters and words of a text: reading, word forms, masking. Knows no review and no category."""
