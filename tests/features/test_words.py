import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from graphrec.features.words import WordsConfig, WordsEncoder


@pytest.fixture
def encoder(catalogue, is_warm_I):
    return WordsEncoder.fit(catalogue.text, is_warm_I, WordsConfig(max_dim=5))


def test_the_vectors_are_sklearns(catalogue, is_warm_I, encoder):
    tfidf = TfidfVectorizer(sublinear_tf=True, stop_words="english", min_df=2)
    pipeline = make_pipeline(tfidf, TruncatedSVD(5, random_state=0))
    warm_texts = [text for text in catalogue.text[is_warm_I] if text.strip()]
    expected_IF = pipeline.fit(warm_texts).transform(catalogue.text)
    np.testing.assert_allclose(encoder.encode(catalogue.text).x_IF, expected_IF, atol=1e-5)


def test_words_that_only_stop_words_or_strangers_use_leave_an_item_absent(encoder):
    modality = encoder.encode(np.array(["red shirt", "", "for the", "unheard of"], dtype=object))
    assert modality.present_I.tolist() == [True, False, False, False]


def test_cold_items_leave_no_trace_in_what_is_fitted(catalogue, changed_when_cold, is_warm_I):
    fitted, again = (WordsEncoder.fit(c.text, is_warm_I, WordsConfig()) for c in (catalogue, changed_when_cold))
    assert fitted.vocabulary == again.vocabulary
    np.testing.assert_array_equal(fitted.idf_V, again.idf_V)
    np.testing.assert_array_equal(fitted.components_FV, again.components_FV)
    leaky = WordsEncoder.fit(changed_when_cold.text, np.ones(len(catalogue), dtype=bool), WordsConfig())
    assert set(leaky.vocabulary) - set(fitted.vocabulary) == {"purple", "trousers"}


def test_no_more_directions_than_words_or_warm_texts(catalogue, is_warm_I, encoder):
    full = WordsEncoder.fit(catalogue.text, is_warm_I, WordsConfig())
    assert full.components_FV.shape == (len(full.vocabulary), len(full.vocabulary))
    few = np.array(["red shirt green", "green shirt red", "blue"], dtype=object)
    fitted = WordsEncoder.fit(few, np.array([True, True, False]), WordsConfig())
    assert fitted.components_FV.shape == (2, 3)


def test_texts_without_a_shared_word_give_no_encoder():
    texts = np.array(["alpha", "beta", "gamma"], dtype=object)
    assert WordsEncoder.fit(texts, np.ones(3, dtype=bool), WordsConfig()) is None
    assert WordsEncoder.fit(texts, np.zeros(3, dtype=bool), WordsConfig()) is None
    assert WordsEncoder.fit(np.array(["the", "the", ""], dtype=object), np.ones(3, dtype=bool), WordsConfig()) is None


def test_numbers_that_do_not_fit_the_vocabulary_are_refused(encoder):
    with pytest.raises(ValueError, match="Expected numbers for 1 words"):
        WordsEncoder.from_tensors(["only"], encoder.tensors())
