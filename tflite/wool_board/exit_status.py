"""What programs and scripts end with, and how soon. It imports nothing: `wool_board.startup` has no time to lose."""

MISTAKE = 1
"""Of what is wrong with a file or the output. Python itself ends with 1 or 2 where it lacks a program or a package."""
WRONG_USAGE = 64
"""Of wrong options of the programs."""
INTERRUPTED = 130
"""After Ctrl-C or SIGTERM."""
GRACE_SECONDS = 5.0
"""How long an end that was asked for may take, before a program is left at once."""
