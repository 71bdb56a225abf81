"""How good the scores are: what writes docs/quality.md and docs/retraining-curve.md."""
