import numpy as np
import pytest

from graphrec.features.modality import Modality


def test_a_modality_refuses_what_is_not_one():
    x_IF, present_I = np.ones((3, 2), np.float32), np.ones(3, dtype=bool)
    for wrong_x, wrong_present, message in [
        (x_IF, present_I[:2], "shapes"),
        (x_IF.astype(np.float64), present_I, "float32"),
        (x_IF, present_I.astype(int), "boolean"),
        (x_IF[:, :0], present_I, "at least one feature"),
        (np.where(np.eye(3, 2), np.nan, x_IF).astype(np.float32), present_I, "finite"),
        (np.where(np.eye(3, 2), -np.inf, x_IF).astype(np.float32), present_I, "finite"),
        (x_IF, np.array([True, False, True]), "zero rows"),
    ]:
        with pytest.raises(ValueError, match=message):
            Modality(wrong_x, wrong_present)


def test_rows_go_to_the_items_that_name_them():
    modality = Modality.from_rows(np.array([[1, 2], [3, 4]]), np.array([1, -1, 0, 1]))
    assert modality.x_IF.tolist() == [[3, 4], [0, 0], [1, 2], [3, 4]]
    assert modality.present_I.tolist() == [True, False, True, True]
    assert (modality.num_features, modality.num_present) == (2, 3)
