"""Templates and figures of HTML pages. What a page tells is beside its command."""
