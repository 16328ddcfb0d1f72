"""Records → a data set on disk: Parquet with explicit features, splits, exports to other formats.

Knows the records and the folder's layout; it knows no run, no model and no network. `datasets` and
`pyarrow` load inside the functions that need them.
"""
