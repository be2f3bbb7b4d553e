"""Texts to vectors. What is done with the vectors is in the stages that use them."""
