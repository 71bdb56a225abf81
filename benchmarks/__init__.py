"""What writes the documents with figures: `quality/` about the scores, `speed/` about the service."""
