"""What training tells of its choices, word for word."""

import io

import pytest
from rich.console import Console

from graphrec.models.choices import FittedChoices
from graphrec.models.parts import Mixture
from graphrec.models.ridge import HeadSettings
from graphrec.screen import print_choices

NAMES = ("words", "image", "exp(words)", "exp(image)", "image*words", "constant")
HEAD = HeadSettings(weights={name: 0.5 + place for place, name in enumerate(NAMES)}, penalty=2.25)


@pytest.mark.parametrize(
    ("half_degree", "hand_over"), [(2.0, "half graph at degree 2"), (0.0, "the graph alone from the first user on")]
)
def test_what_training_chose_is_told_with_what_it_was_chosen_by(half_degree, hand_over):
    choices = FittedChoices(
        epochs=2, ndcg_by_epoch=(0.251, 0.25, 0.1), head=HEAD, popularity_head=HEAD,
        mixture=Mixture(fold_in_share=0.25, raw_share=0.1, popularity_weight=0.8), half_degree=half_degree, stretch=1.2,
    )  # fmt: skip
    shown = io.StringIO()
    print_choices(Console(file=shown, width=80), choices)
    assert " ".join(shown.getvalue().split()) == (
        "Chosen inside the training data. On masked items: 2 epochs (NDCG@20 there 0.250, a validation figure), and "
        "what a score consists of: 90% what the graph taught (25% of it fold-in), 10% raw content, popularity with "
        f"weight 0.8. On masked pairs of other items: {hand_over}, content vectors 1.2 times as long as predicted. "
        "With each item left out in turn: kernel weights constant 5.5, image*words 4.5, exp(image) 3.5, exp(words) "
        "2.5, image 1.5 and 1 more, penalty 2.25."
    )
