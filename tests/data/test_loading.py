"""A folder becomes the dataset that its files describe, whatever their format."""

import gzip
import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.data.dataset import Dataset
from graphrec.data.events import DUPLICATE
from graphrec.data.loading import load_catalogue
from graphrec.data.set_aside import SetAsideCollector
from graphrec.errors import GraphRecError

ITEMS = """item_id,title,description,image,color,genres,price
007,Red dress,For summer,a/1.jpg,red,day|party,9.5
008,Blue dress,,a/2.jpg,blue,day,12
009,Red hat,Warm,,red,party|winter,
010,Blue hat,Warm too,a/4.jpg,blue,winter|day,7
"""
INTERACTIONS = """user_id,item_id,timestamp
u2,007,2024-01-01
u1,008,2024-01-02T12:00:00Z
u2,009,2024-01-03
"""
REAL = Path(__file__).resolve().parents[3] / "shared" / "data"
CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "data"


def write(folder, **files: str):
    for name, text in files.items():
        name = name.replace("__", ".")
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def world(folder, items=ITEMS, interactions=INTERACTIONS, yaml=None):
    write(folder, items__csv=items, interactions__csv=interactions)
    if yaml is not None:
        write(folder, dataset__yaml=yaml)
    return folder


def load_error(folder, root=None):
    with pytest.raises(GraphRecError) as caught:
        Dataset.load(folder, root)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def aside(dataset):
    return [tuple(row) for row in dataset.set_aside.rows.itertuples(index=False)]


def as_plain(dataset):
    """Everything a format must not change, in comparable form."""
    catalogue, inter = dataset.catalogue, dataset.interactions
    return {
        "items": [
            list(a) for a in (catalogue.item_ids, catalogue.title, catalogue.text, catalogue.image, catalogue.site)
        ],
        "categorical": {name: list(values) for name, values in catalogue.attributes.categorical.items()},
        "multi_valued": catalogue.attributes.multi_valued,
        "numeric": {
            name: np.nan_to_num(values, nan=-1).tolist() for name, values in catalogue.attributes.numeric.items()
        },
        "users": dataset.user_ids.tolist(),
        "events": [
            inter.user_index_E.tolist(),
            inter.item_index_E.tolist(),
            inter.weight_E.tolist(),
            np.nan_to_num(inter.timestamp_E, nan=-1).tolist(),
            inter.site_index_E.tolist(),
        ],
        "truths": {
            name: (truth.user_index_P.tolist(), truth.item_index_P.tolist(), truth.candidates)
            for name, truth in dataset.truths.items()
        },
    }


def test_a_folder_with_the_usual_names_needs_no_description(tmp_path):
    data = Dataset.load(world(tmp_path))
    assert data.name == tmp_path.name
    assert data.catalogue.item_ids.tolist() == ["007", "008", "009", "010"]
    assert data.catalogue.text.tolist() == [
        "Red dress. For summer",
        "Blue dress",
        "Red hat. Warm",
        "Blue hat. Warm too",
    ]
    assert data.catalogue.image.tolist() == ["a/1.jpg", "a/2.jpg", "", "a/4.jpg"]
    assert data.catalogue.image_root == tmp_path
    assert data.user_ids.tolist() == ["u2", "u1"]
    assert data.interactions.user_index_E.tolist() == [0, 1, 0]
    assert data.interactions.item_index_E.tolist() == [0, 1, 2]
    assert data.interactions.timestamp_E.tolist() == [1704067200.0, 1704196800.0, 1704240000.0]
    assert data.interactions.site_index_E.tolist() == [-1, -1, -1]
    assert len(data.set_aside) == 0


def test_attributes_are_guessed_and_the_guess_is_noted(tmp_path):
    data = Dataset.load(world(tmp_path))
    attributes = data.catalogue.attributes
    assert attributes.categorical["color"].tolist() == ["red", "blue", "red", "blue"]
    assert attributes.multi_valued["genres"] == [("day", "party"), ("day",), ("party", "winter"), ("winter", "day")]
    np.testing.assert_array_equal(attributes.numeric["price"], [9.5, 12, np.nan, 7])
    assert attributes.names == ["color", "genres", "price"]
    (note,) = data.set_aside.notes
    assert "categorical color" in note
    assert "multi_valued genres" in note
    assert "numeric price" in note


def test_ids_urls_and_codes_are_never_guessed_to_be_attributes(tmp_path):
    items = "item_id,productUrl,brand_id,shelf,story\n" + "".join(
        f"{i},http://x/{i % 2},{i % 2},0{i % 2},text {i}\n" for i in range(6)
    )
    data = Dataset.load(world(tmp_path, items, "user_id,item_id\nu,1\n"))
    assert data.catalogue.attributes.names == ["shelf"]  # 00 and 01 are codes: a category, not a number
    assert data.catalogue.attributes.categorical["shelf"].tolist() == ["00", "01"] * 3
    assert "not used: productUrl, brand_id, story" in data.set_aside.notes[0]


def test_an_empty_attribute_list_asks_for_none_and_guesses_none(tmp_path):
    data = Dataset.load(world(tmp_path, yaml="items: {categorical: []}"))
    assert data.catalogue.attributes.names == []
    assert data.set_aside.notes == ()


def to_json_lines(folder):
    items = pd.read_csv(folder / "items.csv", dtype=str).to_dict("records")
    for item in items:
        item["genres"] = item["genres"].split("|")
        item["price"] = None if item["price"] != item["price"] else float(item["price"])
        item.update({name: None for name, value in item.items() if value != value})
    (folder / "items.jsonl").write_text("\n".join(json.dumps(item) for item in items))
    events = pd.read_csv(folder / "interactions.csv", dtype=str).to_dict("records")
    with gzip.open(folder / "interactions.jsonl.gz", "wt") as stream:
        stream.write("\n".join(json.dumps(event) for event in events))


def to_parquet(folder):
    items = pd.read_csv(folder / "items.csv", dtype=str)
    items["genres"] = items["genres"].str.split("|")
    items["price"] = items["price"].astype(float)
    items["color"] = items["color"].astype("category")
    items.to_parquet(folder / "items.parquet")
    events = pd.read_csv(folder / "interactions.csv", dtype=str)
    events["timestamp"] = pd.to_datetime(events["timestamp"], format="ISO8601", utc=True).dt.tz_convert("Europe/Rome")
    events.to_parquet(folder / "interactions.parquet")


def to_recbole(folder):
    items = pd.read_csv(folder / "items.csv", dtype=str, keep_default_na=False)
    items["genres"] = items["genres"].str.replace("|", " ")
    items.columns = [
        "item_id:token", "title:token_seq", "description:token_seq", "image:token", "color:token", "genres:token_seq", "price:float",  # noqa: E501
    ]  # fmt: skip
    items.to_csv(folder / "shop.item", sep="\t", index=False)
    events = pd.read_csv(folder / "interactions.csv", dtype=str)
    seconds = pd.to_datetime(events["timestamp"], format="ISO8601", utc=True) - pd.Timestamp(0, tz="UTC")
    events["timestamp"] = seconds // pd.Timedelta(seconds=1)
    events.columns = ["user_id:token", "item_id:token", "timestamp:float"]
    events.to_csv(folder / "shop.inter", sep="\t", index=False)


def to_tsv(folder):
    for name in ("items", "interactions"):
        pd.read_csv(folder / f"{name}.csv", dtype=str).to_csv(folder / f"{name}.tsv", sep="\t", index=False)


def to_semicolons_with_a_byte_order_mark(folder):
    for name in ("items", "interactions"):
        table = pd.read_csv(folder / f"{name}.csv", dtype=str)
        table.to_csv(folder / f"{name}.csv.gz", sep=";", index=False, encoding="utf-8-sig")


@pytest.mark.parametrize(
    "convert", [to_json_lines, to_parquet, to_recbole, to_tsv, to_semicolons_with_a_byte_order_mark]
)
def test_every_format_of_the_same_world_loads_to_the_same_dataset(tmp_path, convert):
    expected = as_plain(Dataset.load(world(tmp_path)))
    convert(tmp_path)
    (tmp_path / "items.csv").unlink()
    (tmp_path / "interactions.csv").unlink()
    assert as_plain(Dataset.load(tmp_path)) == expected


def test_whole_number_ids_in_parquet_become_decimal_strings(tmp_path):
    ids = [12345678901234567, 7]
    pq.write_table(pa.table({"item_id": ids, "since": [date(2024, 1, 1), None]}), tmp_path / "items.parquet")
    events = pa.table(
        {"user_id": pa.array([1, 2], pa.uint8()), "item_id": ids, "timestamp": pa.array([0, 1], pa.timestamp("s"))}
    )
    pq.write_table(events, tmp_path / "interactions.parquet")
    data = Dataset.load(tmp_path)
    assert data.catalogue.item_ids.tolist() == ["12345678901234567", "7"]
    assert data.user_ids.tolist() == ["1", "2"]
    assert data.interactions.timestamp_E.tolist() == [0.0, 1.0]


IDS = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp", "Cf")), min_size=1, max_size=8)


@settings(max_examples=40, deadline=None)
@given(ids=st.lists(IDS, min_size=1, max_size=8, unique=True))
def test_any_id_survives_a_csv_file(tmp_path_factory, ids):
    folder = tmp_path_factory.mktemp("ids")
    pd.DataFrame({"item_id": ids, "n": range(len(ids))}).to_csv(folder / "items.csv", index=False)
    pd.DataFrame({"user_id": ids, "item_id": ids[::-1]}).to_csv(folder / "interactions.csv", index=False)
    data = Dataset.load(folder)
    assert data.catalogue.item_ids.tolist() == ids
    assert data.user_ids.tolist() == ids
    assert data.interactions.item_index_E.tolist() == list(range(len(ids)))[::-1]


def test_bad_item_rows_are_set_aside_with_their_row_numbers(tmp_path):
    items = """item_id,title,image,price
a,one,../../secret.jpg,1
,two,,2
b,three,x/../b.jpg,nan
c,four
a,five,,5
d,six,/etc/d.jpg,cheap
e,seven,http://x.org/e.jpg,1e999
f,eight,..\\f.jpg,-4
"""
    data = Dataset.load(world(tmp_path, items, "user_id,item_id\nu,a\n", yaml="items: {numeric: [price]}"))
    outside = "the image path leaves the dataset folder; it counts as missing, the item stays"
    number = "not a finite number; the value counts as missing, the item stays"
    assert aside(data) == [
        ("items.csv", 1, "image", "../../secret.jpg", outside),
        ("items.csv", 2, "item_id", "", "empty item id"),
        ("items.csv", 3, "price", "nan", number),
        ("items.csv", 4, "", "c,four", "expected 4 fields, found 2"),
        ("items.csv", 5, "item_id", "a", "item id stands before; its first row is kept"),
        ("items.csv", 6, "image", "/etc/d.jpg", outside),
        ("items.csv", 6, "price", "cheap", number),
        ("items.csv", 7, "image", "http://x.org/e.jpg", outside),
        ("items.csv", 7, "price", "1e999", number),
        ("items.csv", 8, "image", "..\\f.jpg", outside),
    ]
    assert data.catalogue.item_ids.tolist() == ["a", "b", "d", "e", "f"]
    assert data.catalogue.title.tolist() == ["one", "three", "six", "seven", "eight"]
    assert data.catalogue.image.tolist() == ["", "b.jpg", "", "", ""]
    np.testing.assert_array_equal(data.catalogue.attributes.numeric["price"], [1, np.nan, np.nan, np.nan, -4])


def test_bad_interaction_rows_are_set_aside_with_their_row_numbers(tmp_path):
    events = """user_id,item_id,timestamp,event,weight,rating
u1,007,100,buy,2,5
,007,100,buy,1,5
u1,,100,buy,1,5
u1,999,100,buy,1,5
u1,007,yesterday,buy,1,5
u1,007,100,steal,1,5
u1,007,100,buy,much,5
u1,007,100,buy,0,5
u1,007,100,buy,-1,5
u1,007,100,buy,1e-99,5
u1,007,100,buy,1,good
u1,007,100,view,1,5
u1,007,100,buy,1,2
u2,008,,buy,,
u1,007,100,buy,2,5
"""
    data = Dataset.load(
        world(tmp_path, interactions=events, yaml="interactions: {events: {buy: 3, view: 0}, minimum_rating: 3}")
    )
    time = "not a time: expected epoch seconds or milliseconds, or an ISO date such as 2024-05-31"
    weight = "the weight is not above zero, or out of range"
    assert [row[1:] for row in aside(data)] == [
        (2, "user_id", "", "empty user id"),
        (3, "item_id", "", "empty item id"),
        (4, "item_id", "999", "unknown item: no items file has this id"),
        (5, "timestamp", "yesterday", time),
        (6, "event", "steal", "unknown event type: expected buy, view"),
        (7, "weight", "much", "not a finite number"),
        (8, "weight", "0", weight),
        (9, "weight", "-1", weight),
        (10, "weight", "1e-99", weight),
        (11, "rating", "good", "not a finite number"),
    ]
    assert data.set_aside.left_out == {"event 'view' has weight 0": 1, "rating below 3": 1, DUPLICATE: 1}
    assert data.user_ids.tolist() == ["u1", "u2"]
    assert data.interactions.weight_E.tolist() == [6.0, 3.0]
    np.testing.assert_array_equal(data.interactions.timestamp_E, [100, np.nan])
    assert any("1 rows have no timestamp" in note for note in data.set_aside.notes)


def test_a_rating_at_the_minimum_and_a_row_without_one_stay(tmp_path):
    events = "user_id,item_id,rating\na,007,3.5\nb,007,3.4\nc,007,\n"
    data = Dataset.load(world(tmp_path, interactions=events, yaml="interactions: {minimum_rating: 3.5}"))
    assert data.user_ids.tolist() == ["a", "c"]
    assert data.set_aside.left_out == {"rating below 3.5": 1}


def test_the_same_event_at_another_time_or_on_another_site_is_another_event(tmp_path):
    events = "user_id,item_id,timestamp,site\nu,007,1,x\nu,007,2,x\nu,007,1,y\nu,007,1,x\nu,007,,x\nu,007,,x\n"
    data = Dataset.load(world(tmp_path, interactions=events))
    assert data.interactions.timestamp_E[:3].tolist() == [1, 2, 1]
    assert len(data.interactions) == 4
    assert data.set_aside.left_out == {DUPLICATE: 2}
    assert data.site_names == ("x", "y")


def test_spaces_around_ids_are_removed_and_noted(tmp_path):
    data = Dataset.load(world(tmp_path, interactions="user_id,item_id\n u1,007 \nu1,008\n"))
    assert data.user_ids.tolist() == ["u1"]
    assert "interactions.csv: spaces around 1 values of column 'user_id' were removed" in data.set_aside.notes
    assert "interactions.csv: spaces around 1 values of column 'item_id' were removed" in data.set_aside.notes


@pytest.mark.parametrize(
    ("items", "events", "expected"),
    [
        ("item_id,t\n,x\n,y\n", "user_id,item_id\nu,a\n", "items.csv: none of its 2 rows can be used; main reason: empty item id"),  # noqa: E501
        ("item_id,t\na,x\n", "user_id,item_id\nu,b\nu,c\n,a\n", "main reason: unknown item: no items file has this id (2 rows; row 1, column item_id: 'b')"),  # noqa: E501
        ("item_id,t\na\nb\n", "user_id,item_id\nu,a\n", "items.csv: none of its rows can be read; main reason: expected 2 fields, found 1 (2 rows"),  # noqa: E501
        ("item_id,t\n", "user_id,item_id\nu,a\n", "items.csv has no rows."),
        ("", "user_id,item_id\nu,a\n", "items.csv: the first line is blank"),
        ("item_id,t,t\na,b,c\n", "user_id,item_id\nu,a\n", "items.csv: column 't' stands 2 times in the header"),
    ],
)  # fmt: skip
def test_a_file_without_a_usable_row_is_an_error_that_gives_the_main_reason(tmp_path, items, events, expected):
    assert expected in load_error(world(tmp_path, items, events))


def test_leaving_every_row_out_is_an_error(tmp_path):
    events = "user_id,item_id,rating\nu,007,1\nu,008,2\n"
    message = load_error(world(tmp_path, interactions=events, yaml="interactions: {minimum_rating: 3}"))
    assert "none of its 2 rows can be used; main reason: left out: rating below 3 (2 rows)" in message


def test_a_missing_column_is_answered_with_the_line_to_add(tmp_path):
    message = load_error(world(tmp_path, interactions="userId,movieId,when\nu,007,1\n"))
    assert "interactions.csv has no column user_id and no column item_id (it has: userId, movieId, when)" in message
    assert 'add "columns: {user_id: userId, item_id: movieId}" under interactions: in dataset.yaml.' in message


def test_the_line_to_add_works_when_added(tmp_path):
    yaml = "interactions:\n  columns: {user_id: userId, item_id: movieId}\n"
    data = Dataset.load(world(tmp_path, interactions="userId,movieId,time\nu,007,1\n", yaml=yaml))
    assert data.user_ids.tolist() == ["u"]
    assert np.isnan(data.interactions.timestamp_E).all()
    assert any("column 'time' is not used as timestamp" in note for note in data.set_aside.notes)


@pytest.mark.parametrize(
    ("yaml", "expected"),
    [
        ("items: {colums: {title: t}}", "dataset.yaml: items.colums: unknown key, did you mean columns?"),
        ("itms: {}\nvectors: {text: {ids: x.csv}}", "vectors.text.file: is missing; itms: unknown key, did you mean items?"),  # noqa: E501
        ("items: [{file: items.csv, numerc: [price]}]", "items[0].numerc: unknown key, did you mean numeric?"),
        ("splits: {train: a.csv, valid: {file: b.csv, candidate: c.csv}}", "splits.valid.candidate: unknown key, did you mean candidates?"),  # noqa: E501
        ("interactions: {columns: {userid: u}}", "interactions.columns: 'userid' is not one of user_id, item_id"),
        ("interactions: {events: {buy: -1}}", "interactions.events.buy: expected greater than or equal to 0, got -1"),
        ("items: {categorical: [color], numeric: [color]}", "items: attribute 'color' is listed twice"),
        ("items: {image_name: picture.jpg}", "items.image_name: expected a file name with {item_id} in it"),
        ("items: {file: ../items.csv}", "items.file: '../items.csv' leaves the dataset folder"),
        ("splits: {valid: a.csv}", "fixed splits need a train file"),
        ("items: 5", "items: expected keys with values, got 5"),
        ("items: {file: a.csv}\nitems: {file: b.csv}", "key 'items' stands twice"),
        ("- items", "expected keys such as items: and interactions:, got list"),
        ("items: {", "not valid YAML"),
        ("items: {text: [titel]}", "items.csv has no column 'titel', which dataset.yaml names under items: (it has: item_id, "),  # noqa: E501
        ("items: {categorical: [colour]}", "did you mean 'color'?"),
        ("items: {columns: {title: name}}", "items.csv has no column 'name'"),
        ("interactions: {events: {buy: 1}}", "interactions.csv has no column event"),
        ("interactions: {minimum_rating: 1}", "interactions.csv has no column rating"),
        ("interactions: {file: log.csv}", "log.csv does not exist under "),
        ("interactions: {file: log.txt}", "log.txt: unknown file type '.txt'; expected .parquet, .csv"),
    ],
)  # fmt: skip
def test_a_wrong_description_is_answered_in_one_line(tmp_path, yaml, expected):
    assert expected in load_error(world(tmp_path, yaml=yaml))


def test_missing_and_ambiguous_files_are_named(tmp_path):
    assert "does not exist; give a dataset folder" in load_error(tmp_path / "nowhere")
    write(tmp_path, movies__csv="item_id\na\n")
    assert "No items in" in load_error(tmp_path)
    assert "the folder has: movies.csv" in load_error(tmp_path)
    write(tmp_path, items__csv=ITEMS)
    assert "No interactions in" in load_error(tmp_path)
    write(tmp_path, interactions__csv=INTERACTIONS, items__jsonl="{}")
    assert "has items.csv and items.jsonl; name the one to use" in load_error(tmp_path)
    (tmp_path / "items.jsonl").unlink()
    write(tmp_path, train__csv=INTERACTIONS)
    assert "has both interactions.csv and train.csv" in load_error(tmp_path)
    assert "is not a folder" in load_error(tmp_path, tmp_path / "items.csv")
    assert "not a .yaml file" in load_error(tmp_path / "items.csv")


def test_a_file_that_is_not_what_its_name_says_is_an_error(tmp_path):
    world(tmp_path)
    for name in ("interactions.parquet", "interactions.csv.gz"):
        (tmp_path / name).write_bytes(b"not really")
        write(tmp_path, dataset__yaml=f"interactions: {{file: {name}}}")
        assert name in load_error(tmp_path)
    (tmp_path / "interactions.csv").write_bytes("user_id,item_id\nu,007\n".encode("utf-16"))
    write(tmp_path, dataset__yaml="interactions: {file: interactions.csv}")
    assert "interactions.csv: is UTF-16 text; save the file as UTF-8" in load_error(tmp_path)


def test_pictures_may_be_named_after_their_items(tmp_path):
    items = "item_id,title\n007,a\n008,b\n../009,c\n"
    world(tmp_path, items, "user_id,item_id\nu1,007\n", 'items: {image_folder: pics, image_name: "{item_id}.jpg"}')
    (tmp_path / "pics").mkdir()
    for name in ("pics/007.jpg", "009.jpg"):  # what an id names outside the folder of pictures stays inside the root
        (tmp_path / name).touch()
    assert Dataset.load(tmp_path).catalogue.image.tolist() == ["pics/007.jpg", "", "009.jpg"]
    world(tmp_path, "item_id,image\n007,x/y.jpg\n", "user_id,item_id\nu1,007\n")  # a column goes first
    assert Dataset.load(tmp_path).catalogue.image.tolist() == ["pics/x/y.jpg"]


def test_a_catalogue_alone_loads_when_it_is_asked_for(tmp_path):
    write(tmp_path, items__csv=ITEMS, dataset__yaml="interactions: []")
    data = Dataset.load(tmp_path)
    assert (len(data.catalogue), len(data.user_ids), len(data.interactions)) == (4, 0, 0)
    (tmp_path / "dataset.yaml").unlink()
    assert len(load_catalogue(tmp_path, None, SetAsideCollector())) == 4


def test_fixed_splits_become_truths_with_their_candidates(tmp_path):
    write(
        tmp_path,
        items__csv=ITEMS,
        train__csv="user_id,item_id,event\nu1,007,buy\nu2,008,buy\n",
        valid__csv="user_id,item_id,event\nu3,009,buy\nu1,009,buy\nu3,009,buy\nu1,666,buy\nu1,008,look\n",
        test__jsonl='{"user_id": "u9", "item_id": "010"}\n',
        valid_candidates__csv="item_id\n010\n009\n666\n009\n",
        dataset__yaml="interactions: {events: {buy: 1, look: 0}}",
    )
    data = Dataset.load(tmp_path)
    assert data.user_ids.tolist() == ["u1", "u2", "u3", "u9"]
    assert data.interactions.num_users == 4
    assert data.interactions.user_index_E.tolist() == [0, 1]
    valid, test = data.truths["valid"], data.truths["test"]
    assert list(zip(valid.user_index_P.tolist(), valid.item_index_P.tolist(), strict=True)) == [(2, 2), (0, 2)]
    assert valid.candidates.tolist() == [2, 3]
    assert (test.user_index_P.tolist(), test.item_index_P.tolist(), test.candidates) == ([3], [3], None)
    assert [row[:4] for row in aside(data)] == [
        ("valid.csv", 4, "item_id", "666"),
        ("valid_candidates.csv", 3, "item_id", "666"),
    ]
    assert data.set_aside.left_out == {"event 'look' has weight 0": 1}
    assert data.fixed_split("valid").truth is valid


def test_recbole_split_files_are_found(tmp_path):
    write(tmp_path, items__csv=ITEMS)
    (tmp_path / "shop.train.inter").write_text("user_id:token\titem_id:token\nu1\t007\n")
    (tmp_path / "shop.test.inter").write_text('user_id:token\titem_id:token\nu"1\t008\n')
    data = Dataset.load(tmp_path)
    assert data.user_ids.tolist() == ["u1", 'u"1']
    assert list(data.truths) == ["test"]


def test_sites_come_from_the_column_the_file_or_the_item(tmp_path):
    write(
        tmp_path,
        a__csv="item_id,market\n1,north\n2,\n",
        b__csv="item_id\n1\n3\n",
        log_a__csv="user_id,item_id,site\nu,1,\nu,2,\nu,1,west\n",
        log_b__csv="user_id,item_id\nu,1\n",
        dataset__yaml="""
items:
  - {file: a.csv, columns: {site: market}}
  - {file: b.csv, site: south, item_prefix: "b-"}
interactions:
  - {file: log_a.csv}
  - {file: log_b.csv, site: east, item_prefix: "b-", user_prefix: "b-"}
""",
    )
    data = Dataset.load(tmp_path)
    assert data.catalogue.item_ids.tolist() == ["1", "2", "b-1", "b-3"]
    assert data.catalogue.site.tolist() == ["north", "", "south", "south"]
    assert data.site_names == ("north", "south", "west", "east")
    assert data.interactions.site_index_E.tolist() == [0, -1, 2, 3]
    assert data.interactions.item_index_E.tolist() == [0, 1, 0, 2]
    assert data.user_ids.tolist() == ["u", "b-u"]


def test_an_item_id_of_two_files_is_kept_from_the_first(tmp_path):
    write(
        tmp_path,
        a__csv="item_id,title,color\n1,one,red\n2,two,blue\n",
        b__jsonl='{"item_id": "2", "title": "again"}\n\n{"item_id": "3", "title": "three", "size": "L"}\n',
        interactions__csv="user_id,item_id\nu,3\n",
        dataset__yaml="items: [{file: a.csv, categorical: [color]}, {file: b.jsonl, categorical: [size]}]",
    )
    data = Dataset.load(tmp_path)
    assert data.catalogue.title.tolist() == ["one", "two", "three"]
    assert data.catalogue.attributes.categorical["color"].tolist() == ["red", "blue", ""]
    assert data.catalogue.attributes.categorical["size"].tolist() == ["", "", "L"]
    assert aside(data) == [("b.jsonl", 1, "item_id", "2", "item id stands before; its first row is kept")]


def test_lines_and_sequences_need_no_header(tmp_path):
    write(
        tmp_path,
        items__txt="A1 red dress\nA2\n\nA3 blue hat \n",
        users__txt="u2 A3 A1\nu1 A1\nu3\nu1 A9\n",
        dataset__yaml="items: {file: items.txt, layout: lines}\ninteractions: {file: users.txt, layout: sequence}",
    )
    data = Dataset.load(tmp_path)
    assert data.catalogue.item_ids.tolist() == ["A1", "A2", "A3"]
    assert data.catalogue.text.tolist() == ["red dress", "", "blue hat"]
    assert data.user_ids.tolist() == ["u2", "u1"]
    assert data.interactions.item_index_E.tolist() == [2, 0, 0]
    assert [row[:4] for row in aside(data)] == [("users.txt", 3, "item_id", "u3"), ("users.txt", 4, "item_id", "A9")]


def test_a_description_may_lie_apart_from_its_root(tmp_path):
    folder = tmp_path / "all" / "shop"
    folder.mkdir(parents=True)
    world(folder)
    yaml = tmp_path / "mine.yaml"
    yaml.write_text("items: {file: shop/items.csv, image_folder: shop}\ninteractions: {file: shop/interactions.csv}")
    data = Dataset.load(yaml, tmp_path / "all")
    assert data.name == "mine"
    assert data.catalogue.image[0] == "shop/a/1.jpg"
    assert data.catalogue.image_root == tmp_path / "all"
    assert "give --root" in load_error(yaml)


COUNTS = {  # items, users, events kept + duplicates and low ratings left out, cold items
    "ml1m-posters": (3018, 6018, 529_952, 1207),
    "hm-fashion": (24_717, 1273, 22_958, 24_717 - 12_730),
    "movielens-small": (9742, 609, 100_836, None),
    "amazon-three-sites": (42_381, 72_682, 198_502 + 296_337 + 167_597, 0),
    "films-two-sites": (3018 + 9742, None, 529_952 + 100_836, None),
}


@pytest.mark.parametrize("name", COUNTS)
def test_a_shipped_description_loads_the_real_data(name):
    if not REAL.is_dir():
        pytest.skip("the real datasets are not beside the project")
    data = Dataset.load(CONFIGS / f"{name}.yaml", REAL)
    items, users, rows, cold = COUNTS[name]
    assert len(data.catalogue) == items
    assert users in (None, len(data.user_ids))
    assert len(data.interactions) + sum(data.set_aside.left_out.values()) == rows
    assert cold in (None, int((data.interactions.item_degree() == 0).sum()))
    assert len(data.set_aside) == (1 if name == "amazon-three-sites" else 0)  # one article stands on two sites
    for vectors in data.own_vectors.values():
        assert (data.catalogue.id_index.get_indexer(vectors.ids) >= 0).all()


def test_the_real_splits_hold_what_their_readme_states():
    if not REAL.is_dir():
        pytest.skip("the real datasets are not beside the project")
    films = Dataset.load(CONFIGS / "ml1m-posters.yaml", REAL).truths["valid"]
    assert (len(films.item_index_P), len(np.unique(films.item_index_P))) == (106_695, 302)
    fashion = Dataset.load(CONFIGS / "hm-fashion.yaml", REAL)
    split = fashion.fixed_split("valid")
    is_cold_P = np.isin(split.truth.item_index_P, split.cold_items)
    is_known_P = fashion.interactions.user_degree()[split.truth.user_index_P] > 0
    assert int(fashion.interactions.item_degree().sum()) == 19_837
    assert int((is_cold_P & is_known_P).sum()) == 1775
    assert len(np.unique(split.truth.item_index_P[is_cold_P])) == 1718
    assert len(np.unique(split.truth.user_index_P[is_cold_P & is_known_P])) == 318
