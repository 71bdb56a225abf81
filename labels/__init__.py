"""What people decided: the codebook, the paragraphs they read, their annotations and how far they agree."""
