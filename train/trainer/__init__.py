"""Image classification: configurations, data, the training loop and its checkpoints."""
