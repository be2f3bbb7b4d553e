"""The language in which people are told things: which one, and its sentences. What programs read stays English."""
