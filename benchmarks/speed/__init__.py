"""Speed, size and reliability: what writes docs/performance.md and the documents beside it."""
