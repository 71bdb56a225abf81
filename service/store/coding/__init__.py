"""What coding adds to the store beside annotations and draws: assignments and gold items."""
