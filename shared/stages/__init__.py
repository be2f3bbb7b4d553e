"""One file per method of the cascade. Pure: texts in, verdicts out; no store, no broker."""
