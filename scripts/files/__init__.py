"""Tables that people have and get: read, checked, written whole. What is done with the rows is in the commands."""
