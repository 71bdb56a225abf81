"""Bulk scoring: articles of many or of huge files, scored by several processes or a Dask cluster.

inputs (the parts) → records (the articles of a part) → scoring (the rows of an output file) → job (every part exactly
once, resuming an interrupted run), performed by an executor. `forecast` says before how long that takes.
"""
