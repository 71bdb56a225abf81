"""What is estimated from the scores of all paragraphs and the annotations of some."""
