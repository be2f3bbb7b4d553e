"""The way in: reviews judged before they are stored, and stored with what was said of them. Knows no broker."""
