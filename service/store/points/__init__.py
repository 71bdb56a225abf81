"""Counts at an operating point that the reader chooses, from stored scores; stored decisions stay as they are."""
