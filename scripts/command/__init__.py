"""What every command shares: console, options, settings, database, how it ends. No command is here."""
