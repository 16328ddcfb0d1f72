"""One's own pairs → records: MS MARCO, SQuAD, NQ, BEIR, NLI, click logs, and tables of any columns.

tables (files → rows) ─ formats (rows → examples) ─ convert (examples → records or rejections)
"""
