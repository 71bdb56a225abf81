"""How a model of frames is made, judged, kept and chosen."""
