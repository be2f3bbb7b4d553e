"""The champion found, loaded and asked, and how it holds up. Needs no torch."""
