"""Folders as others publish them, a few lines of our own in each layout, read without a dataset.yaml."""

import gzip
import json

import numpy as np
import pytest
from PIL import Image

from graphrec.data.dataset import Dataset
from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.reading import read_table
from graphrec.data.truth_file import read_truth
from graphrec.errors import GraphRecError


def write(folder, **files: object):
    """Files by name; `__` stands for the dot, `___` for a slash. Lists are JSON lines."""
    for name, content in files.items():
        path = folder / name.replace("___", "/").replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, list):
            content = "".join(json.dumps(row) + "\n" for row in content)
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return folder


def events(dataset):
    inter = dataset.interactions
    return [
        (dataset.user_ids[user], dataset.catalogue.item_ids[item])
        for user, item in zip(inter.user_index_E, inter.item_index_E, strict=True)
    ]


def said(dataset):
    return " ".join([*dataset.set_aside.notes, *dataset.set_aside.warnings])


def films(dataset):
    attributes = dataset.catalogue.attributes
    years = [None if np.isnan(year) else int(year) for year in attributes.numeric["year"]]
    return list(zip(dataset.catalogue.title.tolist(), years, attributes.multi_valued["genres"], strict=True))


FILMS = [("Café Noir (1999)", 1999, ("Comedy", "Drama")), ('12" Vinyl, The (2001)', 2001, ())]
LIKED = [("1", "7"), ("2", "9")]


def movielens_100k(folder):
    flags = {"Comedy": 5, "Drama": 8}
    one, other = ["0"] * 19, ["0"] * 19
    for genre in FILMS[0][2]:
        one[flags[genre]] = "1"
    other[0] = "1"  # unknown
    lines = [f"7|{FILMS[0][0]}|01-Jan-1999||http://x|{'|'.join(one)}", f"9|{FILMS[1][0]}|||http://x|{'|'.join(other)}"]
    ratings = "1\t7\t5\t881250949\n1\t9\t3\t881250950\n2\t9\t4\t881250951\n"
    return write(folder, u__item="\n".join(lines).encode("latin-1") + b"\n", u__data=ratings, u__user="1|24|M|x|0\n")


def movielens_dat(folder, encoding="latin-1"):
    movies = f"7::{FILMS[0][0]}::Comedy|Drama\n9::{FILMS[1][0]}::(no genres listed)\n"
    ratings = "1::7::5::978300760\n1::9::3::978300761\n2::9::4::978300762\n"
    return write(folder, movies__dat=movies.encode(encoding), ratings__dat=ratings, users__dat="1::F::1::10::48067\n")


def movielens_csv(folder):
    movies = f'movieId,title,genres\n7,{FILMS[0][0]},Comedy|Drama\n9,"12"" Vinyl, The (2001)",(no genres listed)\n'
    ratings = "userId,movieId,rating,timestamp\n1,7,5.0,978300760\n1,9,3.0,978300761\n2,9,3.5,978300762\n"
    return write(folder, movies__csv=movies, ratings__csv=ratings, tags__csv="userId,movieId,tag,timestamp\n")


@pytest.mark.parametrize(
    "layout", [movielens_100k, movielens_dat, lambda folder: movielens_dat(folder, "utf-8"), movielens_csv]
)
def test_movielens_in_every_layout(tmp_path, layout):
    dataset = Dataset.load(layout(tmp_path))
    assert films(dataset) == FILMS
    assert events(dataset) == LIKED
    assert dataset.set_aside.left_out == {"rating below 3.5": 1}
    assert len(dataset.set_aside) == 0
    assert 'read as movielens; ratings from 3.5 on count as liking; a dataset.yaml with "format: movielens"' in said(
        dataset
    )
    assert dataset.interactions.timestamp_E.min() > 8e8


def test_a_broken_line_of_a_dat_file_is_set_aside_with_its_number(tmp_path):
    movielens_dat(tmp_path)
    with (tmp_path / "ratings.dat").open("a") as file:
        file.write("3::7::5\n3::7::4::978300763\n")
    dataset = Dataset.load(tmp_path)
    assert events(dataset) == [*LIKED, ("3", "7")]
    ((file, row, reason),) = dataset.set_aside.rows[["file", "row", "reason"]].itertuples(index=False)
    assert (file, row, reason) == ("ratings.dat", 4, "expected 4 fields, found 3")


def test_a_truth_file_for_a_foreign_format_is_a_plain_table(tmp_path):
    dataset = Dataset.load(movielens_dat(tmp_path))
    write(tmp_path, later__csv="user_id,item_id,rating\n1,9,5\n2,7,1\n")
    split, _ = read_truth(dataset, tmp_path / "later.csv")
    assert (split.truth.user_index_P.tolist(), split.truth.item_index_P.tolist()) == ([0], [1])


def test_what_dataset_yaml_says_counts_more_than_the_format(tmp_path):
    movielens_csv(tmp_path)
    write(
        tmp_path,
        dataset__yaml="format: movielens\nname: films\ninteractions: {minimum_rating: 1}\nitems: {site: here}\n",
    )
    dataset = Dataset.load(tmp_path)
    assert (dataset.name, len(dataset.interactions), set(dataset.catalogue.site)) == ("films", 3, {"here"})


REVIEWS = [
    {"rating": 5.0, "title": "Good", "text": "Fine", "parent_asin": "B000000001", "asin": "B000000009",
     "user_id": "AE1", "timestamp": 1588687728923, "verified_purchase": True},
    {"rating": 2.0, "title": "Bad", "text": "No", "parent_asin": "B000000002", "asin": "B000000002", "user_id": "AE1",
     "timestamp": 1588687728924},
    {"rating": 4.0, "parent_asin": "B000000003", "user_id": "AE2", "timestamp": 1588687728925},
]  # fmt: skip
META = [
    {"main_category": "All Beauty", "title": "Soap", "average_rating": 4.8, "rating_number": 10, "features": ["mild"],
     "description": ["For hands.", "And feet."], "price": 4.5, "images": [{"large": "https://x/1.jpg"}], "videos": [],
     "store": "S", "categories": ["Bath", "Soaps"], "details": {"Brand": "S"}, "parent_asin": "B000000001"},
    {"main_category": "All Beauty", "title": "Brush", "average_rating": 3, "features": [], "description": [],
     "price": None, "images": [], "store": None, "categories": [], "details": {}, "parent_asin": "B000000002"},
    {"main_category": "All Beauty", "title": "Comb", "features": [], "description": [], "price": "None", "images": [],
     "store": "S", "categories": ["Hair"], "parent_asin": "B000000003"},
    {"title": "Mirror", "price": "$19.99", "features": [], "categories": [], "parent_asin": "B000000004"},
]  # fmt: skip


@pytest.mark.parametrize("gz", ["", "__gz"])
def test_amazon_reviews_2023(tmp_path, gz):
    write(tmp_path, **{f"All_Beauty__jsonl{gz}": REVIEWS, f"meta_All_Beauty__jsonl{gz}": META})
    dataset = Dataset.load(tmp_path)
    catalogue = dataset.catalogue
    assert catalogue.text.tolist() == ["Soap. mild. For hands., And feet.", "Brush", "Comb", "Mirror"]
    assert catalogue.keys["asin"].tolist() == ["B000000001", "B000000002", "B000000003", "B000000004"]
    assert catalogue.attributes.multi_valued["categories"] == [("Bath", "Soaps"), (), ("Hair",), ()]
    assert catalogue.attributes.numeric["price"][[0, 3]].tolist() == [4.5, 19.99]
    assert list(catalogue.attributes.numeric) == ["price"], "what was counted over all reviews is not a feature"
    assert events(dataset) == [("AE1", "B000000001"), ("AE2", "B000000003")]
    assert round(dataset.interactions.timestamp_E[0]) == 1588687729
    assert len(dataset.set_aside) == 0


def test_amazon_ratings_without_texts(tmp_path):
    ratings = "user_id,parent_asin,rating,timestamp\nAE1,B000000001,5.0,1588687728923\n"
    write(tmp_path, meta_All_Beauty__jsonl=META, All_Beauty__csv=ratings)
    assert events(Dataset.load(tmp_path)) == [("AE1", "B000000001")]


def test_two_amazon_categories_are_two_sites_with_shared_users(tmp_path):
    toy = [{**META[0], "parent_asin": "B000000008"}]
    write(tmp_path, All_Beauty__jsonl=REVIEWS, meta_All_Beauty__jsonl=META, meta_Toys__jsonl=toy)
    write(tmp_path, Toys__jsonl=[{**REVIEWS[0], "parent_asin": "B000000008"}])
    dataset = Dataset.load(tmp_path)
    assert dataset.site_names == ("All_Beauty", "Toys")
    assert dataset.user_ids.tolist() == ["AE1", "AE2"]


RATINGS = "AE1 B000000001 5.0 2019-01-24\nAE1 B000000002 2.0 2019-01-25\n"


@pytest.mark.parametrize("one_line", [False, True])
def test_xmarket_with_metadata_and_equal_asins_as_one_product(tmp_path, one_line):
    product = [{"asin": "B000000001", "title": "Soap", "categories": ["Bath"], "averageRating": "4.5"},
               {"asin": "B000000002", "title": "Brush"}]  # fmt: skip
    product = [product] if one_line else product
    for market in ("de", "us"):
        write(
            tmp_path,
            **{
                f"{market}___ratings_{market}_Beauty__txt__gz": RATINGS,
                f"{market}___metadata_{market}_Beauty__json__gz": product,
            },
        )
    dataset = Dataset.load(tmp_path)
    assert events(dataset) == [("de:AE1", "de:B000000001"), ("us:AE1", "us:B000000001")]
    assert dataset.catalogue.title.tolist() == ["Soap", "Brush"] * 2
    assert list(zip(dataset.same_as.left_P.tolist(), dataset.same_as.right_P.tolist(), strict=True)) == [(0, 2), (1, 3)]
    assert len(dataset.set_aside) == 0


def test_forec_files_have_no_catalogue_but_their_own_rows(tmp_path):
    header = "userId itemId rate date\n"
    write(tmp_path, proc_data___mx_5core__txt=header + RATINGS, proc_data___us_10core__txt=header + RATINGS + RATINGS)
    dataset = Dataset.load(tmp_path)
    assert dataset.catalogue.item_ids.tolist() == ["mx:B000000001", "mx:B000000002", "us:B000000001", "us:B000000002"]
    assert len(dataset.same_as) == 2
    assert len(dataset.set_aside) == 0


def test_hm_with_pictures_in_folders_of_three_digits(tmp_path):
    names = (
        "article_id,product_code,prod_name,product_type_no,product_type_name,product_group_name,"
        "graphical_appearance_name,colour_group_name,perceived_colour_value_name,perceived_colour_master_name,"
        "department_name,index_name,index_group_name,section_name,garment_group_name,detail_desc"
    )
    rows = [
        f"0{number},{number},Strap top,253,Vest top,a,b,Black,c,d,e,f,g,h,i,Jersey top" for number in (108775015, 2)
    ]
    purchases = "t_dat,customer_id,article_id,price,sales_channel_id\n2018-09-20,abc,0108775015,0.05,2\n"
    customers = "customer_id,FN,age\nabc,,24\n"
    write(
        tmp_path,
        articles__csv="\n".join([names, *rows, ""]),
        transactions_train__csv=purchases,
        customers__csv=customers,
    )
    (tmp_path / "images" / "010").mkdir(parents=True)
    Image.new("RGB", (4, 4)).save(tmp_path / "images" / "010" / "0108775015.jpg")
    dataset = Dataset.load(tmp_path)
    assert dataset.catalogue.item_ids.tolist() == ["0108775015", "02"]
    assert dataset.catalogue.image.tolist() == ["images/010/0108775015.jpg", ""]
    assert dataset.catalogue.text[0] == "Strap top. Vest top. Black. Jersey top"
    assert events(dataset) == [("abc", "0108775015")]


SHIRT = {
    "@context": "https://schema.org/",
    "@type": "Product",
    "sku": "007",
    "name": "Shirt",
    "description": "Of linen",
    "brand": {"@type": "Brand", "name": "Nord"},
    "gtin13": "4006381333931",
    "category": ["Clothes", "Shirts"],
    "image": ["https://shop.example/a.jpg", "pictures/a.jpg"],
    "offers": [{"@type": "Offer", "price": 19.90, "priceCurrency": "EUR"}],
}
HAT = {
    "@type": ["Product"],
    "@id": "hat-1",
    "name": "Hat",
    "brand": "Süd",
    "offers": {"@type": "AggregateOffer", "lowPrice": "7", "priceCurrency": "EUR"},
    "image": {"@type": "ImageObject", "url": "https://shop.example/h.jpg"},
}
PAGE = """<html><head><script type="text/javascript">var a = "<b>";</script>
<script type="application/ld+json">%s</script><script type='application/ld+json'>{"@type": "WebSite"}</script>
</head><body>Product</body></html>"""


def as_page(folder):
    write(
        folder,
        page__html=PAGE % json.dumps({"@graph": [SHIRT, {"@type": "BreadcrumbList"}]}),
        z__jsonld=json.dumps(HAT),
    )


def as_lines(folder):
    write(folder, products__jsonl=[SHIRT, HAT])


def as_folder(folder):
    write(
        folder, products___a__html=PAGE % json.dumps([SHIRT]), products___sub___b__json=json.dumps({"mainEntity": HAT})
    )


@pytest.mark.parametrize("layout", [as_page, as_lines, as_folder])
def test_schema_org_products(tmp_path, layout):
    layout(tmp_path)
    write(tmp_path, interactions__csv="user_id,item_id\nu,007\n")
    dataset = Dataset.load(tmp_path)
    catalogue, attributes = dataset.catalogue, dataset.catalogue.attributes
    assert catalogue.item_ids.tolist() == ["007", "hat-1"]
    assert catalogue.text.tolist() == ["Shirt. Of linen", "Hat"]
    assert catalogue.image.tolist() == ["pictures/a.jpg", ""]
    assert catalogue.keys["gtin"].tolist() == ["04006381333931", ""]
    assert attributes.categorical["brand"].tolist() == ["Nord", "Süd"]
    assert attributes.multi_valued["category"] == [("Clothes", "Shirts"), ()]
    assert attributes.numeric["price"].tolist() == [19.9, 7]
    assert events(dataset) == [("u", "007")]
    assert len(dataset.set_aside) == 0


def test_schema_org_that_cannot_be_used_is_set_aside(tmp_path):
    nameless = {"@type": "Product", "name": "Sock"}
    group = {"@type": "ProductGroup", "name": "Shoe", "hasVariant": [{"@type": "Product", "sku": "s-41"}]}
    write(
        tmp_path, a__jsonld=json.dumps([nameless, group]), b__jsonld="{", c__html=PAGE % "{broken", d__html="<p>nothing"
    )
    dataset = Dataset.load(tmp_path)
    assert dict(zip(dataset.catalogue.item_ids, dataset.catalogue.title, strict=True)) == {"s-41": "Shoe"}
    reasons = {(row.file, row.reason) for row in dataset.set_aside.rows.itertuples()}
    assert reasons == {
        (".", "a product without sku or other identifier"),
        ("b.jsonld", "not readable as JSON-LD"),
        ("c.html", "not readable as JSON-LD"),
    }


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("<SCRIPT async TYPE = 'application/ld+json' id=x>%s</SCRIPT>", ["Hat"]),
        ("<script type=application/ld+json>%s</script><script type=application/ld+json>%s</script >", ["Hat", "Hat"]),
        ("<!-- <script type='application/ld+json'>%s</script> --><p>", []),
        ("<script type='text/javascript'>var s = \"<script type='application/ld+json'>\";</script>%s", []),
        ("<script type='application/ld+json'>%s", []),
        ("<script type='application/ld+json'", []),
        ("<!-- never closed <script type='application/ld+json'>%s</script>", []),
    ],
)
def test_scripts_of_a_page(tmp_path, page, names):
    write(tmp_path, a__html="İ" + page.replace("%s", json.dumps(HAT)))
    table = read_table(tmp_path, "a.html", SetAsideCollector(), "json-ld")
    assert (table.columns["title"].to_pylist() if len(table) else []) == names


def test_a_page_of_marks_alone_is_read_in_linear_time(tmp_path):
    write(tmp_path, a__html="<!--<script" * 200_000, b__html="<script type=x" * 200_000, c__html="<!-->" * 200_000)
    assert len(read_table(tmp_path, ".", SetAsideCollector(), "json-ld")) == 0


def test_prices_in_two_currencies_without_a_rate_are_pointed_out(tmp_path):
    dollars = {**HAT, "offers": {"price": "8", "priceCurrency": "USD"}}
    write(tmp_path, products__jsonl=[SHIRT, dollars])
    assert "prices in several currencies (EUR, USD)" in said(Dataset.load(tmp_path))
    rates = "items: {currency: {price: {code_column: price_currency, to: EUR, rates: {USD: 0.5}}}}"
    write(tmp_path, dataset__yaml=f"format: schema.org\n{rates}\n")
    dataset = Dataset.load(tmp_path)
    assert dataset.catalogue.attributes.numeric["price"].tolist() == [19.9, 4]
    assert "several currencies" not in said(dataset)


@pytest.mark.parametrize("said_so", [False, True])
def test_recbole(tmp_path, said_so):
    items = "item_id:token\tmovie_title:token_seq\trelease_year:token\n7\tCafé Noir\t1999\n9\tVinyl\t2001\n"
    ratings = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t7\t5\t978300760\n"
    write(tmp_path, ml__item=items, ml__inter=ratings)
    if said_so:
        about = "items: {columns: {title: movie_title}, categorical: [release_year]}"
        write(tmp_path, dataset__yaml=f"format: recbole\n{about}\n")
    dataset = Dataset.load(tmp_path)
    assert events(dataset) == [("1", "7")]
    assert dataset.description.format == "recbole"
    if said_so:
        assert dataset.catalogue.title.tolist() == ["Café Noir", "Vinyl"]
        assert list(dataset.catalogue.attributes.categorical) == ["release_year"]


def test_a_generic_export_as_one_json_list(tmp_path):
    items = json.dumps([{"item_id": "1", "title": "Mug", "tags": ["a", "b"]}, 3, {"item_id": "2", "title": "Cup"}])
    write(tmp_path, items__json=items, interactions__csv="user_id,item_id\nu,1\n")
    write(tmp_path, dataset__yaml='items: {file: items.json, multi_valued: {tags: "|"}}\n')
    dataset = Dataset.load(tmp_path)
    assert dataset.catalogue.attributes.multi_valued["tags"] == [("a", "b"), ()]
    assert dataset.set_aside.rows[["row", "reason"]].to_numpy().tolist() == [[2, "not a JSON object"]]


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("format: movielense", "format: expected 'recbole', 'movielens'"),
        ("format: hm", "is not in the format hm: expected articles.csv and transactions_train.csv"),
        ("items: {file: a.dat}", "unknown file type '.dat'"),
        ("items: {file: a.dat, delimiter: ''}", "items.delimiter"),
        ("items: {file: a.dat, delimiter: '::', encoding: utf-7}", "items.encoding: expected 'utf-8', 'latin-1'"),
        ("items: {file: b.dat, header: [item_id, title], encoding: cp1252}", "cannot be read as cp1252 text"),
        ("items: {file: items.json}", "none of its rows can be read; main reason: not a JSON object"),
        ("items: {file: no.html, layout: json-ld}", "no.html does not exist"),
        ("items: {file: a.html, layout: json-ld}", "a.html has no rows"),
        ("items: {file: a.dat, layout: jsonld}", "items.layout: expected"),
        ("items: {image_name: '{item_id[3]}.jpg'}", "expected a file name with {item_id} in it"),
    ],
)
def test_a_wrong_format_is_one_line(tmp_path, yaml, message):
    write(
        tmp_path,
        dataset__yaml=yaml,
        a__dat="1::x\n",
        b__dat=b"1,\x81\n",
        items__json="[1",
        a__html="<p>",
        interactions__csv="user_id,item_id\nu,1\n",
    )
    with pytest.raises(GraphRecError) as caught:
        Dataset.load(tmp_path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_of_no_known_format_says_what_is_expected(tmp_path):
    write(tmp_path, notes__txt="hello")
    with pytest.raises(
        GraphRecError, match=r"No items in .*MovieLens, Amazon Reviews 2023, XMarket, H&M or schema.org"
    ):
        Dataset.load(tmp_path)
