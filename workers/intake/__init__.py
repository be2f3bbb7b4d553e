"""What came by a message into the store, whoever took it: opened, judged, stored, followed by what is left to do."""
