"""Queries × texts → hard negatives (BM25, dense, random), with positive-aware cuts.

    sources ─ candidates ─ teachers ─ rules ─ sample ─ decide ─ apply

`candidates` are found and scored once and lie on disk; `decide` says of each why it is a negative
or is not, and can be done again under other rules without a search.
"""
