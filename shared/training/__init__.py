"""How classifiers are trained on given labels. What becomes of a model is in `shared.runs`."""
