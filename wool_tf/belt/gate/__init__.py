"""A gate beside the inspection: whether it rejects at the right place of the belt."""
