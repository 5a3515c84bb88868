"""What scripts that are run from a command line share: their flags, what they show, how they end."""
