from dataclasses import replace

import numpy as np
import pytest

from graphrec.data.catalogue import Attributes
from graphrec.data.dataset import OwnVectors
from graphrec.errors import GraphRecError
from graphrec.features.clip import ClipConfig, ClipEncoder
from graphrec.features.extract import FeaturesConfig, extract_features
from graphrec.features.own import join_own_vectors

ALL = ["image", "text", "words", "attribute:colour", "attribute:tags", "attribute:price"]


def test_every_modality_that_the_dataset_has_is_made_and_explained(dataset, is_warm_I):
    features = extract_features(dataset, is_warm_I)
    assert list(features.modalities) == ALL
    assert features.num_items == 45
    image = features.modalities["image"]
    assert np.flatnonzero(~image.present_I).tolist() == [3, 4, 5]
    assert np.flatnonzero(~features.modalities["text"].present_I).tolist() == [7]
    assert features.encoders.clip_kinds == ("image", "text")
    assert "42 of 45 items" in features.notes[0]
    assert "1 × missing, such as images/4.png" in features.notes[0]
    assert "1 × damaged picture, such as images/5.png" in features.notes[0]
    assert [note.split(":")[0] for note in features.notes[1:3]] == ["text", "words"]
    assert "small CLIP has seen drawn pictures only" in features.notes[-1]


def test_each_item_has_the_vector_of_its_own_picture_and_text(dataset, is_warm_I):
    features = extract_features(dataset, is_warm_I, FeaturesConfig(use=("image", "text")))
    clip, catalogue = ClipEncoder(ClipConfig()), dataset.catalogue
    for item in (0, 20, 44):
        x_ND, _, _ = clip.encode_images([catalogue.image_root / catalogue.image[item]])
        np.testing.assert_allclose(features.modalities["image"].x_IF[item], x_ND[0], atol=1e-5)
        x_ND = clip.encode_texts([catalogue.text[item]])
        np.testing.assert_allclose(features.modalities["text"].x_IF[item], x_ND[0], atol=1e-5)


def test_a_shared_picture_is_encoded_once(dataset, is_warm_I, monkeypatch):
    asked = []
    original = ClipEncoder.encode_batch_of_pictures

    def counting(self, pictures):
        asked.extend(pictures)
        return original(self, pictures)

    monkeypatch.setattr(ClipEncoder, "encode_batch_of_pictures", counting)
    shared = replace(dataset.catalogue, image=np.array(["images/0.png", "images/1.png", ""] * 15, dtype=object))
    features = extract_features(replace(dataset, catalogue=shared), is_warm_I, FeaturesConfig(use=("image",)))
    assert len(asked) == 2
    x_IF, present_I = features.modalities["image"].x_IF, features.modalities["image"].present_I
    assert present_I.tolist() == [True, True, False] * 15
    np.testing.assert_array_equal(x_IF[3:6], x_IF[:3])


def test_a_link_that_leaves_the_dataset_folder_is_not_followed(dataset, is_warm_I, tmp_path_factory):
    catalogue = dataset.catalogue
    outside = tmp_path_factory.mktemp("outside") / "private.png"
    picture = catalogue.image_root / catalogue.image[0]
    outside.write_bytes(picture.read_bytes())
    picture.unlink()
    picture.symlink_to(outside)
    features = extract_features(dataset, is_warm_I, FeaturesConfig(use=("image",)))
    assert not features.modalities["image"].present_I[0]
    assert "1 × leaves the dataset folder through a link, such as images/0.png" in features.notes[0]


def test_own_vectors_stand_in_place_of_clip_and_beside_it(dataset, is_warm_I, shuffled_vectors):
    rich = replace(dataset, own_vectors={"sound": shuffled_vectors, "text": shuffled_vectors})
    features = extract_features(rich, is_warm_I)
    assert list(features.modalities) == [*ALL, "sound"]
    expected, _ = join_own_vectors("text", shuffled_vectors, dataset.catalogue)
    for name in ("text", "sound"):
        np.testing.assert_array_equal(features.modalities[name].x_IF, expected.x_IF)
    assert features.encoders.clip_kinds == ("image",)
    assert any(n.startswith("text: ") and "1 vectors belong to no item" in n for n in features.notes)


def test_with_own_vectors_for_both_clip_is_not_even_loaded(dataset, is_warm_I, shuffled_vectors):
    config = FeaturesConfig(clip=ClipConfig(model="no such model"))
    rich = replace(dataset, own_vectors={"image": shuffled_vectors, "text": shuffled_vectors})
    features = extract_features(rich, is_warm_I, config)
    assert not any("small CLIP" in note for note in features.notes)
    with pytest.raises(GraphRecError, match="nor a model of open_clip"):
        extract_features(dataset, is_warm_I, config)


def test_use_chooses_and_names_what_there_is(dataset, is_warm_I):
    features = extract_features(dataset, is_warm_I, FeaturesConfig(use=("attribute:price", "words")))
    assert list(features.modalities) == ["words", "attribute:price"]
    features = extract_features(dataset, is_warm_I, FeaturesConfig(use=("attributes",)))
    assert list(features.modalities) == ALL[3:]
    with pytest.raises(GraphRecError, match="'sound' is not among what 'little shop' has: image, text, words, attr"):
        extract_features(dataset, is_warm_I, FeaturesConfig(use=("sound",)))


def test_what_tells_nothing_is_left_out_and_said_so(dataset, is_warm_I):
    attributes = Attributes(categorical={"code": dataset.catalogue.item_ids}, numeric={"constant": np.ones(45)})
    plain = replace(dataset, catalogue=replace(dataset.catalogue, attributes=attributes))
    features = extract_features(plain, is_warm_I, FeaturesConfig(use=("words", "attributes")))
    assert list(features.modalities) == ["words"]
    assert "attribute:code: left out, it tells nothing about the warm items." in features.notes


def test_items_about_which_nothing_is_known_are_refused(dataset, is_warm_I):
    nothing = np.full(45, "", dtype=object)
    bare = replace(dataset.catalogue, text=nothing, title=nothing, image=nothing, attributes=Attributes())
    with pytest.raises(GraphRecError, match="No item of 'little shop' has a picture"):
        extract_features(replace(dataset, catalogue=bare), is_warm_I)
    missing = replace(bare, image=np.full(45, "nowhere.png", dtype=object))
    with pytest.raises(GraphRecError, match="No item of 'little shop' has a picture"):
        extract_features(replace(dataset, catalogue=missing), is_warm_I)


def test_a_new_item_is_encoded_like_its_twin(dataset, is_warm_I, shuffled_vectors):
    rich = replace(dataset, own_vectors={"sound": shuffled_vectors})
    features = extract_features(rich, is_warm_I)
    old = dataset.catalogue
    attributes = old.attributes
    take = [20, 31]
    new = replace(
        old,
        item_ids=np.array(["new-1", "new-2"], dtype=object),
        title=old.title[take],
        text=old.text[take],
        image=old.image[take],
        site=old.site[take],
        attributes=Attributes(
            categorical={"colour": attributes.categorical["colour"][take]},
            multi_valued={"tags": [attributes.multi_valued["tags"][item] for item in take]},
        ),
    )
    encoded = features.encoders.encode(new, {}).modalities
    assert list(encoded) == list(features.modalities)
    for name in ALL[:-1]:
        np.testing.assert_allclose(encoded[name].x_IF, features.modalities[name].x_IF[take], atol=1e-5)
    assert encoded["attribute:price"].num_present == encoded["sound"].num_present == 0
    other_width = OwnVectors(ids=new.item_ids, x_RF=np.ones((2, 9), np.float32))
    with pytest.raises(GraphRecError, match="'sound': expected 6 numbers each"):
        features.encoders.encode(new, {"sound": other_width})
