"""The kinds of model: which kind to train, and models whose heads learn from the vectors of an encoder."""
