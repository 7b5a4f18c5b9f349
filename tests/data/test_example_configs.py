"""The descriptions in configs/data that no real data is needed for."""

from pathlib import Path

import pytest

from graphrec.data.check import check
from graphrec.data.dataset import Dataset
from graphrec.data.dataset_yaml import read_description

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "data"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_description_is_valid(path):
    assert read_description(path).name == path.stem


def test_two_shops(tmp_path):
    files = {
        "harbour/items.csv": "item_id,title,category,brand,tags,height,price,ean\n"
        "1,White mug,mug,Nord,white,10,8.5,4006381333931\n2,Plate,plate,Ost,blue|white,2,12,\n",
        "harbour/log.csv": "user_id,item_id\nu1,1\nu1,2\n",
        "hill/export.jsonl": '{"sku": "1", "name": "Becher (Nord)", "text": "Weiß", "category": "Becher", "tags": '
        '["blau", "neu"], "height": "4 in", "price": "10", "currency": "USD", "barcode": 4006381333931}\n'
        '{"sku": "2", "name": "Topf", "category": "Topf", "height": 12, "price": 9, "currency": "CHF"}\n',
        "hill/orders.tsv": "customer\tsku\twhat\nu1\t1\tKauf\nu1\t2\tAnsicht\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    dataset = Dataset.load(CONFIGS / "two-shops.yaml", tmp_path)
    catalogue, attributes = dataset.catalogue, dataset.catalogue.attributes
    assert catalogue.title.tolist() == ["White mug", "Plate", "Becher", "Topf"]
    assert attributes.categorical["category"].tolist() == ["mug", "plate", "mug", ""]
    assert attributes.categorical["brand"].tolist() == ["Nord", "Ost", "Nord", ""]
    assert attributes.multi_valued["tags"] == [("white",), ("blue", "white"), ("blue", "neu"), ()]
    assert attributes.numeric["height"].tolist() == pytest.approx([10, 2, 10.16, 30.48])
    assert attributes.numeric["price"].tolist() == pytest.approx([8.5, 12, 9.2, float("nan")], nan_ok=True)
    assert dataset.interactions.weight_E.tolist() == pytest.approx([1, 1, 1, 0.2])
    assert (dataset.same_as.left_P.tolist(), dataset.same_as.right_P.tolist()) == ([0], [2])
    assert check(dataset).linked[0].pairs == 1
