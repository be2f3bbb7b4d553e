"""The training worker and the process of one run. What a run does is in `shared.runs`."""
