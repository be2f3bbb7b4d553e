"""The zero-shot stage: an NLI model asked about each category. Needs torch when it is used, not when it is imported."""
