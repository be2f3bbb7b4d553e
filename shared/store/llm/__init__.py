"""What is kept of language models: their answers, so that none is paid twice, and the tokens of each day."""
