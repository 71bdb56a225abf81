"""Work in the background: the worker, its lock, its supervisor, its status; training runs and removals of articles."""
