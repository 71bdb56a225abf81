"""Where models are stored: versions, cards, and the history of promotions."""
