"""The keyword stage: inflected words in their context. The words themselves are in the taxonomy."""
