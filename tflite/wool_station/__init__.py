"""What stands beside the inspection and may fail without a line being lost: gate, memory, live page, report.

It hears of the inspection through its feed, and never holds it up. Nothing of `wool_board` knows of this package.
"""
