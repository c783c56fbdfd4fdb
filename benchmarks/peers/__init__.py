"""The servers that are measured beside each other. Each takes the same watchers and sends frames of the same size."""
