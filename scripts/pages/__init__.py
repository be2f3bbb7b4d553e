"""How results look: pages from templates, tables, scales, numbers. What they tell is beside each command."""
