"""Board models: the file, its card, the network in it, and what it says of a crop."""
