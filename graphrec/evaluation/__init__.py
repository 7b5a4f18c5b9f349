"""Full-ranking metrics, protocols and intervals over ranked lists or vectors, however they came about."""
