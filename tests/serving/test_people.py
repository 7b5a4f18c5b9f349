"""People whom the run knows by pseudonym are found by the ids that the shop knows."""

import numpy as np
import pandas as pd

from graphrec.data.description import DatasetDescription
from graphrec.data.privacy.key import SecretKey
from graphrec.data.privacy.pseudonyms import Pseudonyms
from graphrec.living.ids import Ids
from graphrec.serving.people import known_as

KEY = "00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210"


def test_an_id_is_a_pseudonym_or_becomes_one_with_the_key_of_the_run(monkeypatch):
    description = DatasetDescription.model_validate(
        {
            "privacy": {"pseudonyms": {"scope": "shop", "key_env": "GRAPHREC_TEST_KEY"}},
            "interactions": [
                {"file": "a.csv", "user_prefix": "a-"},
                {"file": "b.csv", "user_prefix": "b-", "pseudonym_scope": "other"},
            ],
        }
    )
    monkeypatch.setenv("GRAPHREC_TEST_KEY", KEY)
    secret = SecretKey.read(description.privacy.pseudonyms)
    one, other = (Pseudonyms(secret, scope, 1).of([whole])[0] for scope, whole in (("shop", "a-7"), ("other", "b-8")))
    names = np.array([one, other], dtype=object)
    users = Ids.of(pd.Index(names, dtype=object), names)
    assert [known_as(user, users, description) for user in ("7", "8", one, "9")] == [one, other, one, None]
    monkeypatch.delenv("GRAPHREC_TEST_KEY")
    assert [known_as(user, users, description) for user in ("7", other)] == [None, other]
    assert known_as("7", users, DatasetDescription()) is None
