"""Articles: read, classified, stored, answered and scored again."""
