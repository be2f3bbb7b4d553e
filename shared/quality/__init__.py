"""How good labels and predictions are, and what follows: pure functions over rows. Reads and writes no store."""
