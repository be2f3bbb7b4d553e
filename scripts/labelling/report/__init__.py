"""What one labelling run did, as a page to forward and as tables for the terminal.

`summary.RunSummary` holds all that is shown. Nothing here counts or reads the store: who ran the labelling fills it.
"""
