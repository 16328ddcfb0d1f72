"""Contrastive training of decoder embedders: rows → tokens → packed stream → vectors → loss → step.

Read `loop.py` first. A pure core works on plain tensors (`packing`, `decoder`, `attention`,
`lora`, `pooling`, `loss`, `gradcache`); models and files of other tools are met at the edges
alone (`weights`, `tokens`, `rows`, `export`). Importing this package loads no torch.
"""
