"""Versions of the model: storage, cards, promotions."""
