"""The gate: turns the rejects of an inspection into an output at the right place of the belt, and fails safe."""
