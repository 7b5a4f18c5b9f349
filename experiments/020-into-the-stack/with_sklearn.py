"""scikit-learn: a pipeline from item ids to an attribute that some items lack, with the vectors as its features."""

import numpy as np
from example import answer, run_folder
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from graphrec import Recommender
from graphrec.export.transformer import EmbeddingTransformer

run = run_folder()
catalogue = Recommender.load(run).train_.catalogue
name, values = next(iter(catalogue.attributes.categorical.items()))
known = np.flatnonzero(values != "")
item_ids, wanted = catalogue.item_ids[known], values[known].astype(str)
often = np.isin(
    wanted, [value for value, count in zip(*np.unique(wanted, return_counts=True), strict=True) if count > 9]
)

model = make_pipeline(EmbeddingTransformer(run), StandardScaler(), LogisticRegression(max_iter=1000))
accuracy = cross_val_score(model, item_ids[often], wanted[often], cv=3).mean()
most_frequent = cross_val_score(DummyClassifier(), item_ids[often], wanted[often], cv=3).mean()
answer(
    f"{name} of items left out: accuracy {accuracy:.3f}, the most frequent value {most_frequent:.3f}",
    items=int(often.sum()),
    accuracy=accuracy,
    most_frequent=most_frequent,
)
