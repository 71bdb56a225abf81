"""Bulk scoring: articles of many files, or of a few huge ones, scored by several processes or a Dask cluster.

inputs (which parts there are) → records (articles of a part) → scoring (rows of an output file) → job (all parts, each
once, going on where a run before was ended) on one of the engines.
"""
