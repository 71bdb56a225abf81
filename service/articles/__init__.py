"""Articles: read, classified, stored, answered, scored again and purged."""
