"""The tests, each file named after what it tests; `support/` has what they share."""
