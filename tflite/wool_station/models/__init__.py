"""Models of a station: two of them compared on what it has seen, and the change from one to another."""
