"""What processes have from one another beside reviews: the files of models, and what each of them waits for."""
