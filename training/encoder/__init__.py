"""Encoders: transformers that turn paragraphs into vectors, and the linear heads that turn vectors into log-odds."""
