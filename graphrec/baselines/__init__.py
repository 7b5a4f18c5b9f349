"""Arms that a graph has to beat, with the same `fit` and `recommend` as the recommender."""
