"""What a process needs to work, built from the settings: database, taxonomy, stages."""
