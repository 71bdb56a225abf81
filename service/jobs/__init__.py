"""Work in the background: the worker process, its lock, who restarts it, the steps of a training run."""
