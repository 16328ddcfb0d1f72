"""The user's own documents → passages with stable ids, on disk: nothing of a corpus is held."""
