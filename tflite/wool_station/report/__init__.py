"""The quality report: a shift or a day as one page to print and sign."""
