"""H&M Personalized Fashion Recommendations: articles.csv, transactions_train.csv, images/012/0123456789.jpg."""

from pathlib import Path

from graphrec.data.description import DatasetDescription, InteractionsDescription, ItemsDescription

_CATEGORICAL = (
    "product_type_name", "product_group_name", "graphical_appearance_name", "colour_group_name",
    "perceived_colour_value_name", "perceived_colour_master_name", "department_name", "index_name", "index_group_name",
    "section_name", "garment_group_name",
)  # fmt: skip


def describe(folder: Path) -> DatasetDescription | None:
    """Articles and purchases; None where one of the two files is missing. Customers' own data are not read."""
    if not ((folder / "articles.csv").is_file() and (folder / "transactions_train.csv").is_file()):
        return None
    return DatasetDescription(
        format="hm",
        licence="Kaggle H&M Personalized Fashion Recommendations: research use only, no redistribution",
        items=ItemsDescription(
            file="articles.csv",
            columns={"item_id": "article_id", "title": "prod_name", "description": "detail_desc"},
            text=("title", "product_type_name", "colour_group_name", "description"),
            categorical=_CATEGORICAL,
            image_folder="images",
            image_name="{item_id[:3]}/{item_id}.jpg",
        ),
        interactions=InteractionsDescription(
            file="transactions_train.csv",
            columns={"user_id": "customer_id", "item_id": "article_id", "timestamp": "t_dat"},
        ),
    )
