"""How a model scores: terms of a text, log-odds and evidence, decisions, and the roll-up to the article."""
