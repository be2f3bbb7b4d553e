"""What an evaluation found, as tables for the terminal, as a page, and as a picture of the confusion matrix."""
