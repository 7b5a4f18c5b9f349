"""Cold items in what the features were fitted on: each statistic is fitted again on a catalogue without them."""

from dataclasses import replace

import numpy as np

from graphrec.features.blocks import Standardiser
from graphrec.features.gate import item_blocks
from graphrec.leaks.evidence import Evidence

_TURNED = 1e-5
"""Mean squared sine between a direction and the span that should hold it: more than rounding, whatever the machine."""
_TIED = 1e-3
"""Directions whose singular value is within this share of the smallest one may as well have been others."""
_SAME_BITS = 1e-6
"""Relative: the same sums over the same rows, stored as float32."""
_ROUNDING = 1e-4


def word_vocabulary(evidence: Evidence) -> str | None:
    """Known words, and how many items use each, are those of warm items."""
    words, expected = evidence.features.encoders.words, evidence.warm_words
    if words is None:
        return None
    extra = sorted(set(words.vocabulary) - set(() if expected is None else expected.vocabulary))
    if extra:
        return f"{len(extra):,} words count that warm items do not teach, such as {extra[0]!r}"
    if expected is None or words.vocabulary != expected.vocabulary:
        return "the vocabulary is not the one that warm items teach"
    if not np.allclose(words.idf_V, expected.idf_V, rtol=_SAME_BITS):
        word = words.vocabulary[int(np.argmax(np.abs(words.idf_V - expected.idf_V)))]
        return f"how many items use a word was not counted on warm items alone, as of {word!r}"
    return ""


def word_directions(evidence: Evidence) -> str | None:
    """The main directions of the words (a truncated SVD) are those of warm items."""
    words, expected = evidence.features.encoders.words, evidence.warm_words
    if words is None or expected is None or words.vocabulary != expected.vocabulary:
        return None  # no common vocabulary, which is for `word_vocabulary` to say
    if words.components_FV.shape != expected.components_FV.shape:
        return f"words have {len(words.components_FV)} directions, warm items give {len(expected.components_FV)}"
    spread_F = np.linalg.norm(expected.encode(evidence.warm_text_W).x_IF, axis=0)
    kept_KV = expected.components_FV[spread_F > (1 + _TIED) * spread_F.min()]
    inside_K = np.square(kept_KV @ words.components_FV.T).sum(axis=1)
    turned = float((1 - inside_K).mean()) if len(inside_K) else 0.0
    return f"the directions of words are turned by {turned:.1e} from those of warm items" if turned > _TURNED else ""


def attribute_values(evidence: Evidence) -> str | None:
    """Known values of categorical and multi-valued attributes, in their order, are those of warm items."""
    expected = evidence.warm_attributes.indicators
    encoders = evidence.features.encoders.attributes.indicators
    for name, encoder in encoders.items():
        values = expected[name].values if name in expected else ()
        extra = sorted(set(encoder.values) - set(values))
        if extra:
            return f"{len(extra):,} values of {name!r} count that warm items do not teach, such as {extra[0]!r}"
        if encoder.values != values:
            return f"the values of {name!r} were not counted on warm items alone"
    return "" if encoders else None


def attribute_ranges(evidence: Evidence) -> str | None:
    """Ranges of numeric attributes are those of warm items."""
    expected = evidence.warm_attributes.bumps
    encoders = evidence.features.encoders.attributes.bumps
    for name, encoder in encoders.items():
        if name not in expected:
            return f"{name!r} has a range, but not among warm items"
        low, high = expected[name].low, expected[name].high
        if not np.allclose((encoder.low, encoder.high), (low, high), rtol=_SAME_BITS):
            return (
                f"{name!r} ranges from {encoder.low:g} to {encoder.high:g}, among warm items from {low:g} to {high:g}"
            )
    return "" if encoders else None


def feature_means(evidence: Evidence) -> str | None:
    """What the features are centred by is the mean over warm items."""
    mean_F = Standardiser.fit(evidence.features, ~evidence.is_cold_I).mean_F
    for name in evidence.features.modalities:  # one by one: together they would be held twice
        alone = replace(evidence.features, modalities={name: evidence.warm_modality(name)})
        expected_F = Standardiser.fit(alone, evidence.everybody_W).mean_F[name]
        if np.abs(mean_F[name] - expected_F).max() > _SAME_BITS * max(1e-12, np.abs(expected_F).max()):
            return f"the mean of {name!r} is not the one of warm items"
    return ""


def feature_gate(evidence: Evidence) -> str | None:
    """The features that every arm gets, gated where a gate was learned, are what warm items alone make of them."""
    if not evidence.features.signals:
        return None  # without a gate nothing but the means is fitted
    expected_WF = item_blocks(evidence.warm_features, evidence.everybody_W).x_IF
    if np.allclose(evidence.blocks.x_IF[evidence.warm], expected_WF, atol=_ROUNDING):
        return ""
    return "the gate trusts pictures and texts of warm items otherwise than warm items alone teach it to"
