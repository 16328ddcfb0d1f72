"""How good a model is: metrics (`metrics`), what it is measured on (`tasks`), both put together."""
