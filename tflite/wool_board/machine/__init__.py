"""The machine that a program runs on, and the signals and the service manager that end or watch it."""
