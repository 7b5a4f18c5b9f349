"""`sites:` puts folders of differing layouts side by side; ids, users and links by hand."""

import numpy as np
import pytest

from graphrec.data.dataset import Dataset
from graphrec.errors import GraphRecError

NORTH = {
    "north/items.csv": "item_id,title,kind,ean\n1,Mug,cup,4006381333931\n2,Jug,jug,\n",
    "north/interactions.csv": "user_id,item_id\nu1,1\nu2,2\n",
}
SOUTH = {
    "south/export.csv": "sku;name;art;gtin\n1;Tasse;Becher;4006381333931\n9;Topf;Topf;\n",
    "south/orders.csv": "kunde;sku\nu1;9\n",
    "south.yaml": """
items:
  file: export.csv
  columns: {item_id: sku, title: name}
  categorical: [kind]
  extract: {kind: {from: art, pattern: "(.+)"}}
  values: {kind: {Becher: cup, Topf: pot}}
interactions: {file: orders.csv, columns: {user_id: kunde, item_id: sku}}
""",
}
BOTH = """
name: two-shops
sites:
  north: {folder: north}
  south: {folder: south, description: south.yaml}
same_as: {keys: [gtin]}
"""


def place(folder, files, yaml):
    for name, text in {**files, "dataset.yaml": yaml}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def with_north(text):
    """North's own description: its key has another name."""
    return {**NORTH, **SOUTH, "north/dataset.yaml": text}


NORTH_YAML = "items: {file: items.csv, columns: {gtin: ean}, categorical: [kind]}\n"


def test_two_shops_in_one_schema(tmp_path):
    dataset = Dataset.load(place(tmp_path, with_north(NORTH_YAML), BOTH))
    catalogue = dataset.catalogue
    assert dataset.name == "two-shops"
    assert catalogue.item_ids.tolist() == ["north:1", "north:2", "south:1", "south:9"]
    assert catalogue.attributes.categorical["kind"].tolist() == ["cup", "jug", "cup", "pot"]
    assert catalogue.site.tolist() == ["north", "north", "south", "south"]
    assert dataset.user_ids.tolist() == ["north:u1", "north:u2", "south:u1"]
    assert dataset.interactions.site_index_E.tolist() == [0, 0, 1]
    assert (dataset.same_as.left_P.tolist(), dataset.same_as.right_P.tolist()) == ([0], [2])


def test_users_can_be_shared(tmp_path):
    yaml = BOTH.replace("folder: north", "folder: north, shared_users: true")
    yaml = yaml.replace("folder: south", "folder: south, shared_users: true")
    dataset = Dataset.load(place(tmp_path, with_north(NORTH_YAML), yaml))
    assert dataset.user_ids.tolist() == ["u1", "u2"]


def test_the_splits_of_one_site_beside_the_log_of_another(tmp_path):
    files = with_north(NORTH_YAML)
    del files["north/interactions.csv"]
    files |= {"north/train.csv": "user_id,item_id\nu1,1\n", "north/valid.csv": "user_id,item_id\nu1,2\n"}
    dataset = Dataset.load(place(tmp_path, files, BOTH))
    assert dataset.user_ids.tolist() == ["north:u1", "south:u1"]
    assert dataset.interactions.item_index_E.tolist() == [0, 3]
    assert dataset.truths["valid"].item_index_P.tolist() == [1]


def test_pictures_and_vectors_are_found_below_each_site(tmp_path):
    south = "items: {file: items.csv, image_folder: pics}\nvectors: {sound: {file: v.npy, ids: v.csv}}\n"
    files = {**NORTH, "south/items.csv": "item_id,title,image\n1,Mug,a.jpg\n", "south/dataset.yaml": south}
    files |= {"south/v.csv": "item_id\n1\n", "south/interactions.csv": "user_id,item_id\nu,1\n"}
    place(tmp_path, files, "sites: {north: {folder: north}, south: {folder: ./south/}}")
    np.save(tmp_path / "south" / "v.npy", np.ones((1, 2), np.float32))
    dataset = Dataset.load(tmp_path)
    assert dataset.catalogue.image.tolist() == ["", "", "south/pics/a.jpg"]
    assert dataset.own_vectors["sound"].ids.tolist() == ["south:1"]


def test_pseudonyms_of_people_on_several_sites(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAPHREC_TEST_KEY", bytes(range(32)).hex())
    privacy = "privacy: {pseudonyms: {key_env: GRAPHREC_TEST_KEY, scope: both}}\n"
    dataset = Dataset.load(place(tmp_path, with_north(NORTH_YAML), BOTH + privacy))
    assert len(set(dataset.user_ids)) == 3
    assert not {"u1", "u2", "north:u1", "north:u2", "south:u1"} & {*dataset.user_ids}


def test_formats_side_by_side(tmp_path):
    films = {
        "ml/movies.dat": "7::Mug (1999)::Drama\n",
        "ml/ratings.dat": "1::7::5::978300760\n",
        "x/us_5core.txt": "userId itemId rate date\n1 B000000001 5.0 2019-01-24\n",
        "x/de_5core.txt": "userId itemId rate date\n1 B000000001 5.0 2019-01-24\n",
    }
    dataset = Dataset.load(place(tmp_path, films, "sites: {films: {folder: ml}, shop: {folder: x}}"))
    assert dataset.catalogue.item_ids.tolist() == ["films:7", "shop:de:B000000001", "shop:us:B000000001"]
    assert dataset.site_names == ("films", "shop/de", "shop/us")
    assert dataset.user_ids.tolist() == ["films:1", "shop:de:1", "shop:us:1"]
    assert len(dataset.same_as) == 1


@pytest.mark.parametrize(
    ("yaml", "north", "message"),
    [
        ("sites: {north: {folder: nord}}", "", "the folder of north, nord, does not exist"),
        ("sites: {north: {folder: ../north}}", "", "leaves the dataset folder"),
        ("sites: {'n:1': {folder: north}}", "", "sites.n:1"),
        ("sites: {north: {floder: north}}", "", "unknown key, did you mean folder?"),
        ("sites: {north: {folder: north}}\nitems: {file: a.csv}", "", "sites stand in place of items"),
        (BOTH, "sites: {x: {folder: .}}", "describes one site and cannot have sites of its own"),
        (BOTH, "same_as: {file: pairs.csv}", "same_as.file of north"),
        ("sites: {north: {folder: north, description: no.yaml}}", "", "no.yaml does not exist"),
    ],
)
def test_a_wrong_setting_is_one_line(tmp_path, yaml, north, message):
    files = with_north(north) if north else {**NORTH, **SOUTH}
    with pytest.raises(GraphRecError) as caught:
        Dataset.load(place(tmp_path, files, yaml))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
