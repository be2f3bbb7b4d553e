"""Views over several tables, for people and files. Writes nothing."""
