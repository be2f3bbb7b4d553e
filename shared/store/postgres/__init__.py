"""The driver, the schema and its roles. What the tables mean is in the modules beside this folder."""
