"""A day of the inspection in short: beam and elements change, the program is stopped, and each line accounted for."""
