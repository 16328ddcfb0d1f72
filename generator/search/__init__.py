"""Search over texts: exact (`exact`), BM25 (`bm25`), and what they search in (`passages`).

Below the stages: knows records, errors and text, and nothing of who asks. A search answers with
`Hits`.
"""
