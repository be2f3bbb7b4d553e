"""Where models compute, and how texts are packed into batches for them. Knows no stage."""
