"""The protocol in PyTorch, on the same folds and batches, to compare with."""
