"""From a text to scores, evidence and decisions."""
