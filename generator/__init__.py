"""trine: training data for text-embedding models, written by an LLM."""
