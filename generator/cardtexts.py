"""The parts of a card that are the same for every data set."""

from __future__ import annotations

FIELDS = """## Fields

| Field | |
|---|---|
| `id` | hash of family, instruction, query and positives |
| `family`, `task` | kind of task; the instruction that goes with the query |
| `language` | code, or `query-text` where the two differ |
| `symmetric` | whether the instruction goes on both sides |
| `label` | class of a classification or clustering record, otherwise null |
| `query` | text |
| `positives`, `negatives` | lists of `{id, text, scores}`; a negative has a `source` as well |
| `scores` | list of `{teacher, value}` |
| `in_batch` | which other rows may serve as negatives: `all`, `same_task`, `none` |
| `provenance` | model, template hashes, draw, seed and requests that gave the record |"""

LOADING = """## How to load it

```python
from datasets import load_dataset

records = load_dataset("REPO", split="train")  # or one family: load_dataset("REPO", "FAMILY")


def triplets(batch):
    rows = [
        (f"Instruct: {task}\\nQuery: {query}", positives[0]["text"], negatives[0]["text"])
        for task, query, positives, negatives in zip(
            batch["task"], batch["query"], batch["positives"], batch["negatives"]
        )
        if negatives
    ]
    names = ("anchor", "positive", "negative")
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


train = records.map(triplets, batched=True, remove_columns=records.column_names)
```

With sentence-transformers:

```python
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
from sentence_transformers.losses import MultipleNegativesRankingLoss

model = SentenceTransformer("intfloat/multilingual-e5-small")
SentenceTransformerTrainer(
    model, train_dataset=train, loss=MultipleNegativesRankingLoss(model)
).train()
```"""

LIMITS = """## Limits

* The texts are synthetic. They hold factual errors, invented names and sources, and the biases of
  the models that wrote them; do not use them as knowledge.
* Negatives were not all checked by people: some may answer their query.
* The licences and terms of the models that wrote the texts may bind their use, and those of the
  documents where a family is grounded in a corpus."""
