"""The models that write: one protocol, its back ends, the pool and the journal between."""
