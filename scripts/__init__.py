"""The `otzyv` command, its benchmarks and its report."""
