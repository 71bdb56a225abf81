"""What several tests, and the benchmarks, share: a subject per module."""
