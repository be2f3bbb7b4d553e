"""Everything that talks to the broker. Thin: decode, call the domain, forward, acknowledge."""
