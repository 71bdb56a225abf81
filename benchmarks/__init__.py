"""Commands that measure; each prints a table with medians and ratios."""
