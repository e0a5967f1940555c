"""Training: losses and the loop."""
