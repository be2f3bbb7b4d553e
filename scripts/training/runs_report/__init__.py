"""Training runs side by side on gold: a leaderboard for the terminal, as a page with pictures, and as JSON."""
