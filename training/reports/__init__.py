"""What a model is worth, to read: evaluation, appendix of a paper, model card."""
