"""Making of the base models from annotated news, with calibration on articles that they never saw."""
