"""What is held out of the training data, and how: items, items by their birth, users, pairs."""
