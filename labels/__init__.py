"""What people decided: the codebook, the paragraphs that coders read, their annotations and their agreement."""
