"""How search ranks: texts taken apart, evidence weighed. Pure functions, no storage."""
