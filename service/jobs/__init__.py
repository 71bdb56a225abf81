"""Work in the background: the worker, its lock, its supervisor, its status, and the training run."""
