"""The second pass of checks: those that need an encoder, the mined negatives or a judge.

    measures ─ checks ─┬─ decide ─ apply
    grading ───────────┘

`measures` are taken once and lie on disk, grades in a journal; `checks` and `decide` say what fails
and why, and can be done again under other thresholds without a model.
"""
