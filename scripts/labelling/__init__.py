"""The commands that label a file, plan that, or bring labels and taxonomies in."""
