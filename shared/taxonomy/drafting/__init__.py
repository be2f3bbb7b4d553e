"""A taxonomy proposed from reviews that nobody has labelled: what they are about, in groups of words, to be edited.

Words come from the reviews alone; their general vectors are handed in. What stages make of a draft is not known here.
"""
