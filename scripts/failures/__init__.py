"""The commands over what failed: list, show, retry, drop."""
