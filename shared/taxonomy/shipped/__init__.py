"""The taxonomies that ship with the package."""
