"""The sample store is frozen, hides what it should, is broken only where it says so, and comes whole or not at all."""

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from graphrec.data.description import DatasetDescription
from graphrec.data.sample_store import (
    DEFAULT_SAMPLE_STORE_DIGEST,
    SampleStoreConfig,
    flaws,
    sample_store_digest,
    store,
    write_sample_store,
)
from graphrec.data.sample_store.raster import fill_polygon, grown
from graphrec.data.sample_store.store import make_sample_world
from graphrec.errors import GraphRecError

SMALL = {"products_per_site": 60, "shared_products": 25, "num_users": 45, "seed": 3}


@pytest.fixture(scope="module")
def default_store(tmp_path_factory):
    return write_sample_store(tmp_path_factory.mktemp("default") / "store")


@pytest.fixture(scope="module")
def small_stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    return {
        signal: write_sample_store(folder / signal, SampleStoreConfig(signal=signal, **SMALL))
        for signal in ("graph", "content", "none")
    }


@pytest.fixture(scope="module")
def default_world():
    return make_sample_world()


def read(folder, name):
    return pd.read_csv(folder / name, dtype=str, keep_default_na=False)


def readable_events(folder):
    """The log without the flaws that add rows."""
    rows = read(folder, "interactions.csv")
    return rows[rows.item_id.isin(read(folder, "items.csv").item_id)].drop_duplicates()


def test_the_default_store_has_the_frozen_digest(default_store):
    assert sample_store_digest(default_store) == DEFAULT_SAMPLE_STORE_DIGEST


def test_dataset_yaml_validates_and_names_columns_that_exist(default_store):
    description = DatasetDescription.model_validate(yaml.safe_load((default_store / "dataset.yaml").read_text()))
    items, interactions = description.item_files[0], description.interaction_files[0]
    columns = [*items.text, *items.categorical, *items.multi_valued, *items.numeric]
    assert set(columns) | {"item_id", "site", "image"} == set(read(default_store, items.file).columns)
    assert set(interactions.events) == set(read(default_store, interactions.file).event)


def test_a_seed_gives_one_store_and_another_seed_another(small_stores, tmp_path):
    again = write_sample_store(tmp_path / "again", SampleStoreConfig(**SMALL))
    other = write_sample_store(tmp_path / "other", SampleStoreConfig(**SMALL | {"seed": 4}))
    assert sample_store_digest(again) == sample_store_digest(small_stores["graph"])
    assert sample_store_digest(other) != sample_store_digest(small_stores["graph"])


def test_the_digest_sees_pixels_and_not_their_compression(small_stores, tmp_path):
    folder = write_sample_store(tmp_path / "copy", SampleStoreConfig(**SMALL))
    same_products = read(folder, "same_products.csv")
    path = next(p for p in (folder / f"images/{i}.png" for i in same_products.item_id) if p.exists())
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).copy()
    Image.fromarray(pixels).save(path, compress_level=9)
    assert sample_store_digest(folder) == sample_store_digest(small_stores["graph"])
    pixels[5, 7, 1] ^= 1
    Image.fromarray(pixels).save(path, compress_level=9)
    assert sample_store_digest(folder) != sample_store_digest(small_stores["graph"])


def test_nobody_meets_an_item_before_it_arrives(default_world):
    arrival_day_E = default_world.listings.arrival_day_I[default_world.events.listing_E]
    assert (default_world.events.second_E // 86_400 >= arrival_day_E).all()
    assert (default_world.listings.arrival_day_I > 0).mean() == pytest.approx(0.45, abs=0.01)


def test_an_event_is_about_an_item_of_its_own_site(small_stores):
    for folder in small_stores.values():
        site_of_item = read(folder, "items.csv").set_index("item_id").site
        rows = readable_events(folder)
        assert (rows.item_id.map(site_of_item) == rows.site).all()


def test_the_same_product_is_one_item_of_each_site_with_the_same_traits(default_store, default_world):
    pairs = read(default_store, "same_products.csv")
    listings = default_world.listings
    index = pd.Index(listings.item_ids)
    first, second = index.get_indexer(pairs.item_id), index.get_indexer(pairs.same_item_id)
    assert len(pairs) == SampleStoreConfig().shared_products == pairs.item_id.nunique() == pairs.same_item_id.nunique()
    assert set(listings.site_I[first]) == {0}
    assert set(listings.site_I[second]) == {1}
    assert (listings.product_I[first] == listings.product_I[second]).all()
    items = read(default_store, "items.csv").set_index("item_id")
    left, right = items.category[pairs.item_id].to_numpy(), items.category[pairs.same_item_id].to_numpy()
    assert ((left == right) | (left == "") | (right == "")).all()
    assert (items.title[pairs.item_id].to_numpy() != items.title[pairs.same_item_id].to_numpy()).mean() > 0.9


def test_products_that_are_not_listed_as_the_same_differ(default_world):
    listings = default_world.listings
    on_both = np.intersect1d(listings.product_I[listings.site_I == 0], listings.product_I[listings.site_I == 1])
    assert len(on_both) == SampleStoreConfig().shared_products


@pytest.mark.parametrize("signal", ["content", "none"])
def test_signals_differ_in_nothing_but_which_item_an_event_is_about(small_stores, signal):
    graph, other = small_stores["graph"], small_stores[signal]
    names = sorted(p.relative_to(graph).as_posix() for p in graph.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(other).as_posix() for p in other.rglob("*") if p.is_file())
    changed = [name for name in names if (graph / name).read_bytes() != (other / name).read_bytes()]
    assert changed == ["interactions.csv"]
    graph_rows, other_rows = read(graph, "interactions.csv"), read(other, "interactions.csv")
    unchanged = ["user_id", "timestamp", "event", "site"]
    pd.testing.assert_frame_equal(graph_rows[unchanged], other_rows[unchanged])
    assert (graph_rows.item_id != other_rows.item_id).mean() > 0.5


def test_without_signal_each_item_keeps_its_number_of_events(small_stores):
    graph, none = (readable_events(small_stores[signal]).item_id.value_counts() for signal in ("graph", "none"))
    assert graph.to_dict() == none.to_dict()


def scene_lift(world):
    """How much likelier than by chance two items that one user touched belong to one scene."""
    events, listings = world.events, world.listings
    pairs = pd.DataFrame({"user": events.user_E, "item": events.listing_E}).drop_duplicates()
    count = pd.crosstab(pairs["user"], world.products.scene_P[listings.product_I[pairs["item"]]]).drop(columns=-1)
    size = count.sum(axis=1)
    same = (count * (count - 1)).to_numpy().sum() / (size * (size - 1)).sum()
    return same / ((count.sum() / size.sum()) ** 2).sum()


def test_scenes_show_in_who_touches_what_only_where_the_graph_has_signal(default_world):
    assert scene_lift(default_world) > 2
    assert scene_lift(make_sample_world(SampleStoreConfig(signal="none"))) == pytest.approx(1, abs=0.1)


def test_exactly_one_picture_is_damaged_and_the_promised_ones_are_absent(default_store):
    items = read(default_store, "items.csv")
    paths = [default_store / image for image in items.image if image]
    assert sum(not path.exists() for path in paths) == flaws.NUM_ABSENT_PICTURES
    broken = []
    for path in (path for path in paths if path.exists()):
        try:
            with Image.open(path) as image:
                assert image.convert("RGB").size == (64, 64)
        except OSError:
            broken.append(path)
    assert len(broken) == 1
    assert len(list((default_store / "images").iterdir())) == len(paths) - flaws.NUM_ABSENT_PICTURES


def test_only_the_promised_rows_are_flawed(default_store):
    items, rows = read(default_store, "items.csv"), read(default_store, "interactions.csv")
    assert (items.item_id.is_unique, ((items.title == "") & (items.description == "")).sum()) == (True, 6)
    assert (pd.to_numeric(items.price[items.price != ""], errors="coerce").isna()).sum() == 1
    assert (~rows.item_id.isin(items.item_id)).sum() == flaws.NUM_UNKNOWN_ITEMS
    assert sorted(rows.timestamp[~rows.timestamp.str.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ")]) == [
        "last tuesday"
    ]
    moment = pd.to_datetime(rows.timestamp, format="%Y-%m-%dT%H:%M:%SZ", errors="coerce")
    assert moment.isna().sum() == len(flaws.UNREADABLE_TIMESTAMPS)
    assert rows.duplicated().sum() == flaws.NUM_REPEATED_EVENTS
    assert set(rows.rating) == {"", "1", "2", "3", "4", "5"}


def test_one_site_has_leading_zeros_and_users_are_on_one_site_or_both(default_store):
    items, rows = read(default_store, "items.csv"), read(default_store, "interactions.csv")
    assert items.item_id[items.site == "harbour"].str.fullmatch(r"0\d{5}").all()
    sites_of_user = rows.groupby("user_id").site.nunique().value_counts()
    assert 0.1 < sites_of_user[2] / sites_of_user.sum() < 0.4


def test_no_file_tells_the_pattern_or_the_scene_in_a_column(default_store):
    assert "pattern" not in read(default_store, "items.csv").columns
    assert "scene" not in (default_store / "items.csv").read_text()


@pytest.mark.parametrize("broken", ["make_sample_world", "spoil_interactions", "draw_picture"])
def test_a_run_that_dies_halfway_leaves_nothing(monkeypatch, tmp_path, broken):
    calls = []

    def die(*_: object, **__: object):
        calls.append(broken)
        raise KeyboardInterrupt

    monkeypatch.setattr(store, broken, die)
    with pytest.raises(KeyboardInterrupt):
        write_sample_store(tmp_path / "store", SampleStoreConfig(**SMALL))
    assert calls == [broken]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_anything_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(GraphRecError, match="not empty") as refusal:
        write_sample_store(tmp_path, SampleStoreConfig(**SMALL))
    assert "\n" not in str(refusal.value)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_and_missing_parents_are_fine(tmp_path):
    (tmp_path / "empty").mkdir()
    config = SampleStoreConfig(products_per_site=40, shared_products=40, num_users=10)
    assert write_sample_store(tmp_path / "empty", config) == tmp_path / "empty"
    write_sample_store(tmp_path / "a" / "b", config)
    assert sample_store_digest(tmp_path / "a" / "b") == sample_store_digest(tmp_path / "empty")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "empty"]


def test_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match="shared_products up to 50"):
        SampleStoreConfig(products_per_site=50, shared_products=51)


def test_a_filled_polygon_is_its_naive_twin():
    rng = np.random.default_rng(0)
    for corners in (3, 4, 7, 12):
        points = [(int(x), int(y)) for x, y in rng.integers(-10, 55, (corners, 2))]
        canvas = np.zeros((30, 45), dtype=bool)
        fill_polygon(canvas, points, True)
        naive = [[_is_inside(x + 0.5, y + 0.5, points) for x in range(45)] for y in range(30)]
        assert canvas.any()
        np.testing.assert_array_equal(canvas, naive)


def _is_inside(x, y, points):
    """Whether a ray to the left crosses an odd number of edges; a centre on an edge counts as right of it."""
    crossings = 0
    for (x1, y1), (x2, y2) in zip(points, [*points[1:], points[0]], strict=True):
        if (y1 < y) != (y2 < y):
            crossings += x1 + (y - y1) * (x2 - x1) / (y2 - y1) <= x + 1e-9
    return crossings % 2 == 1


def test_a_grown_pixel_is_a_square():
    mask = np.zeros((7, 9), dtype=bool)
    mask[1, 5] = True
    expected = np.zeros((7, 9), dtype=bool)
    expected[0:4, 3:8] = True
    np.testing.assert_array_equal(grown(mask, by=2), expected)
