"""How often frames occur: questions to the estimator and their answers."""
