"""How a model of frames is trained, evaluated, promoted and stored."""
