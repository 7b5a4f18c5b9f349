"""The files of a run: everything that `recall`, `eval` and `export` need, without the dataset it was trained from."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import safetensors.torch
import scipy.sparse as sp
import yaml
from pydantic import ValidationError

from graphrec.artifact import CONTAINS_FORGOTTEN, MANIFEST, Manifest, read_manifest, write_artifact
from graphrec.config import GraphRecConfig
from graphrec.data.catalogue import Attributes, Catalogue
from graphrec.data.cooccurrence import CooccurrenceCounts
from graphrec.data.dataset import Dataset, SetAside, Truth
from graphrec.data.description import DatasetDescription
from graphrec.data.fingerprint import fingerprint
from graphrec.data.interactions import Interactions
from graphrec.data.same_as import SameAs
from graphrec.data.set_aside import read_set_aside, write_set_aside
from graphrec.errors import GraphRecError
from graphrec.features.extract import ItemFeatures
from graphrec.features.storage import read_features, write_features
from graphrec.living.changes import NO_CHANGES, Changes, keep_aside, read_changes, take_over, write_changes
from graphrec.living.journal import JOURNAL
from graphrec.models.choices import FittedChoices
from graphrec.models.graph_model import GraphModel
from graphrec.models.graphsage import Encoded, GraphSAGE
from graphrec.models.placement_file import read_placement, write_placement
from graphrec.models.scoring import QueryScale
from graphrec.progress import Say, unsaid
from graphrec.retrieval.item_index import ItemIndex
from graphrec.search.clip_index import ClipIndex

SET_ASIDE = "set_aside.csv"
_ARRAYS: dict[str, Callable[[GraphModel], np.ndarray]] = {
    "served": lambda model: model.served_ID,
    "content": lambda model: model.content_ID,
    "graph": lambda model: model.graph_ID,
    "sage_items": lambda model: model.encoded.z_ID,
    "users": lambda model: model.encoded.q_UD,
    "item_states": lambda model: model.encoded.states_LID,
    "score_covariance": lambda model: model.scale.covariance_DD,
    "average_query": lambda model: model.scale.average_D,
    "raw_covariance": lambda model: model.raw_scale.covariance_DD,
    "raw_average": lambda model: model.raw_scale.average_D,
    "degree": lambda model: model.degree_I,
    "degree_elsewhere": lambda model: model.degree_elsewhere_I,
}
_UNSEEN = "unseen.npy"
"""Only where other sites say more of an item than its content does."""
_TRIES = 3


@dataclass(frozen=True)
class Run:
    """A fitted recommender with the data it was fitted on and what was held out of it."""

    config: GraphRecConfig
    train: Dataset
    features: ItemFeatures
    model: GraphModel
    index: ItemIndex
    held_out: dict[str, Truth] = field(default_factory=dict)
    clip: ClipIndex | None = None
    """None where no item has a picture or text vector."""
    changes: Changes = NO_CHANGES
    """What happened since training."""
    forgotten: int = 0
    """People whose rows left after training: the weights may still hold something of them, until it is done again."""


def write_run(run: Run, folder: Path, say: Say = unsaid) -> None:
    """Write the run whole or not at all; see `artifact.write_artifact` for what may be replaced.

    What changed in a run of the same dataset that is replaced, and is not among the changes of this one, is taken over;
    changes of another dataset are kept beside the folder. `say` gets a line about either.
    """
    interactions = run.train.interactions
    dataset = run.train.name

    def add_changes(writing: Path) -> None:
        write_changes(run.changes, writing)
        if (folder / JOURNAL).is_file():
            is_same = read_manifest(folder, verify=False).about.get("dataset") == dataset
            if is_same:
                take_over(run.changes, folder, writing, say)
            else:
                keep_aside(folder, say)

    write_artifact(
        folder,
        lambda place: _write_files(run, place),
        {
            "dataset": dataset,
            "data_fingerprint": fingerprint(run.train),
            "items": interactions.num_items,
            "users": interactions.num_users,
            "interactions": len(interactions),
            "dimension": int(run.model.served_ID.shape[1]),
            **({CONTAINS_FORGOTTEN: run.forgotten} if run.forgotten else {}),
        },
        finish=add_changes,
    )


def read_run(folder: Path, device: str = "cpu") -> Run:
    """Read a run after checking every file against the manifest; the files are always those of one run.

    Where another process puts a new run in place meanwhile, reading starts over, a few times. Raises GraphRecError in
    one line where a file differs from the manifest, and where the run is replaced again and again.
    """
    for _ in range(_TRIES):
        before = _manifest_bytes(folder)
        try:
            run = _read_files(folder, read_manifest(folder), device)
        except Exception:  # half of one run and half of another: anything may not fit
            if _manifest_bytes(folder) == before:
                raise
        else:
            if _manifest_bytes(folder) == before:
                return run
    raise GraphRecError(f"{folder} is being written by another process: try again.")


def _manifest_bytes(folder: Path) -> bytes | None:
    """None where there is no run at the moment; every run has a manifest of its own."""
    try:
        return (folder / MANIFEST).read_bytes()
    except OSError:
        return None


def _read_files(folder: Path, manifest: Manifest, device: str) -> Run:
    try:
        config = GraphRecConfig.model_validate(yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")))
        train = _read_dataset(folder)
    except ValidationError as error:
        raise GraphRecError(
            f"{folder} was written by graphrec {manifest.packages.get('graphrec', '?')}, with settings "
            f"that this one does not read ({error.errors()[0]['msg']}): upgrade graphrec, or train again."
        ) from None
    features = read_features(folder / "features")
    # Large arrays stay on disk until they are used.
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in _ARRAYS}
    has_unseen = (folder / _UNSEEN).is_file()
    unseen_ID = np.load(folder / _UNSEEN, mmap_mode="r", allow_pickle=False) if has_unseen else arrays["content"]
    choices = FittedChoices.of((folder / "metrics.json").read_text(encoding="utf-8"))
    num_features = sum(modality.num_features for modality in features.modalities.values())
    encoder = GraphSAGE(len(train.catalogue), num_features, config.model.encoder)
    encoder.load_state_dict(safetensors.torch.load_file(folder / "encoder.safetensors"))
    model = GraphModel(
        encoder=encoder.to(device).eval(),
        encoded=Encoded(arrays["sage_items"], arrays["users"], arrays["item_states"]),
        scale=QueryScale(arrays["score_covariance"], arrays["average_query"]),
        raw_scale=QueryScale(arrays["raw_covariance"], arrays["raw_average"]),
        choices=choices,
        graph_ID=arrays["graph"],
        content_ID=arrays["content"],
        unseen_ID=unseen_ID,
        served_ID=arrays["served"],
        degree_I=np.asarray(arrays["degree"]),
        degree_elsewhere_I=np.asarray(arrays["degree_elsewhere"]),
        placement=read_placement(folder),
    )
    index = ItemIndex.load(folder / "recall.faiss", arrays["served"], config.index)
    truths = [folder / name for name in manifest.files if name.startswith("held_out/")]
    held_out = {path.stem: _read_truth(path) for path in sorted(truths)}
    clip = ClipIndex.load(folder, config.index)
    forgotten = int(manifest.about.get(CONTAINS_FORGOTTEN, 0))
    return Run(config, train, features, model, index, held_out, clip, read_changes(folder), forgotten)


def _write_files(run: Run, folder: Path) -> None:
    (folder / "config.yaml").write_text(run.config.to_yaml(), encoding="utf-8")
    # What was chosen inside the training data; figures on held-out data come from an evaluation.
    (folder / "metrics.json").write_text(run.model.choices.model_dump_json(indent=2), encoding="utf-8")
    _write_dataset(run.train, folder)
    write_features(run.features, folder / "features")
    write_placement(run.model.placement, run.features.numeric_blocks, folder)
    for name, pick in _ARRAYS.items():
        np.save(folder / f"{name}.npy", np.ascontiguousarray(pick(run.model)), allow_pickle=False)
    if run.model.unseen_ID is not run.model.content_ID:
        np.save(folder / _UNSEEN, run.model.unseen_ID, allow_pickle=False)
    weights = {name: tensor.cpu().contiguous() for name, tensor in run.model.encoder.state_dict().items()}
    safetensors.torch.save_file(weights, folder / "encoder.safetensors")
    run.index.save(folder / "recall.faiss")
    if run.clip is not None:
        run.clip.save(folder)
    if len(run.train.set_aside):
        write_set_aside(run.train.set_aside, folder / SET_ASIDE)
    (folder / "held_out").mkdir()
    for name, truth in run.held_out.items():
        _write_truth(truth, folder / "held_out" / f"{name}.parquet")


def _write_dataset(dataset: Dataset, folder: Path) -> None:
    catalogue, attributes, events = dataset.catalogue, dataset.catalogue.attributes, dataset.interactions
    columns = {
        "item_id": pa.array(catalogue.item_ids, pa.string()),
        "title": pa.array(catalogue.title, pa.string()),
        "text": pa.array(catalogue.text, pa.string()),
        "image": pa.array(catalogue.image, pa.string()),
        "site": pa.array(catalogue.site, pa.string()),
        **{f"categorical:{name}": pa.array(values, pa.string()) for name, values in attributes.categorical.items()},
        **{
            f"multi_valued:{name}": pa.array([list(one) for one in values], pa.list_(pa.string()))
            for name, values in attributes.multi_valued.items()
        },
        **{f"numeric:{name}": pa.array(values, pa.float64()) for name, values in attributes.numeric.items()},
    }
    pq.write_table(pa.table(columns), folder / "items.parquet")
    pq.write_table(pa.table({"user_id": pa.array(dataset.user_ids, pa.string())}), folder / "users.parquet")
    table = {
        "user_index": events.user_index_E,
        "item_index": events.item_index_E,
        "weight": events.weight_E,
        "timestamp": events.timestamp_E,
        "site_index": events.site_index_E,
    }
    pq.write_table(pa.table(table), folder / "interactions.parquet")
    same_as = dataset.same_as
    pairs = {"left": same_as.left_P, "right": same_as.right_P, "weight": same_as.weight_P}
    pq.write_table(pa.table(pairs), folder / "same_as.parquet")
    _write_counts(dataset.counts, folder / "counts.parquet")
    about = {
        "name": dataset.name,
        "site_names": list(dataset.site_names),
        "target_site": dataset.target_site,
        "counts": {
            site: {"minimum": one.minimum, "most_items_per_user": one.most_items_per_user}
            for site, one in dataset.counts.items()
        },
        "description": dataset.description.model_dump(mode="json", exclude_defaults=True),
        "left_out": dataset.set_aside.left_out,
        "notes": list(dataset.set_aside.notes),
        "warnings": list(dataset.set_aside.warnings),
    }
    (folder / "dataset.json").write_text(json.dumps(about, indent=2), encoding="utf-8")


def _read_dataset(folder: Path) -> Dataset:
    about = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    items = pq.read_table(folder / "items.parquet")
    events = pd.read_parquet(folder / "interactions.parquet")
    user_ids = _strings(pq.read_table(folder / "users.parquet")["user_id"])
    return Dataset(
        name=about["name"],
        catalogue=Catalogue(
            item_ids=_strings(items["item_id"]),
            title=_strings(items["title"]),
            text=_strings(items["text"]),
            image=_strings(items["image"]),
            image_root=None,
            site=_strings(items["site"]),
            attributes=Attributes(
                categorical={name: _strings(items[column]) for column, name in _columns(items, "categorical")},
                multi_valued={
                    name: [tuple(values) for values in items[column].to_pylist()]
                    for column, name in _columns(items, "multi_valued")
                },
                numeric={name: items[column].to_numpy() for column, name in _columns(items, "numeric")},
            ),
        ),
        user_ids=user_ids,
        site_names=tuple(about["site_names"]),
        interactions=Interactions(
            num_users=len(user_ids),
            num_items=items.num_rows,
            user_index_E=events["user_index"].to_numpy(),
            item_index_E=events["item_index"].to_numpy(),
            weight_E=events["weight"].to_numpy(),
            timestamp_E=events["timestamp"].to_numpy(),
            site_index_E=events["site_index"].to_numpy(),
        ),
        same_as=_read_same_as(folder / "same_as.parquet"),
        counts=_read_counts(folder / "counts.parquet", about.get("counts", {}), items.num_rows),
        target_site=about.get("target_site"),
        set_aside=_read_set_aside(folder, about),
        description=DatasetDescription.model_validate(about.get("description", {})),
    )


def _write_counts(counts: dict[str, CooccurrenceCounts], path: Path) -> None:
    parts = [(site, sp.triu(one.counts_II).tocoo()) for site, one in counts.items()]
    empty = np.zeros(0, dtype=np.int64)
    table = {
        "site": [site for site, half in parts for _ in range(half.nnz)],
        "left": np.concatenate([empty, *(half.row for _, half in parts)]),
        "right": np.concatenate([empty, *(half.col for _, half in parts)]),
        "users": np.concatenate([empty, *(half.data for _, half in parts)]),
    }
    pq.write_table(pa.table({**table, "site": pa.array(table["site"], pa.string())}), path)


def _read_counts(path: Path, about: dict[str, Any], num_items: int) -> dict[str, CooccurrenceCounts]:
    table, counts = pd.read_parquet(path), {}
    for site, limits in about.items():
        part = table[table["site"] == site]
        pairs = (part["users"].to_numpy(), (part["left"].to_numpy(), part["right"].to_numpy()))
        half = sp.coo_matrix(pairs, (num_items, num_items))
        counts_II = sp.csr_matrix(half + half.T - sp.diags_array(half.diagonal()), dtype=np.int64)
        counts[site] = CooccurrenceCounts(counts_II, **limits)
    return counts


def _read_same_as(path: Path) -> SameAs:
    pairs = pd.read_parquet(path)
    return SameAs(*(pairs[name].to_numpy() for name in ("left", "right", "weight")))


def _read_set_aside(folder: Path, about: dict[str, Any]) -> SetAside:
    path = folder / SET_ASIDE
    told = {name: tuple(about.get(name, ())) for name in ("notes", "warnings")}
    rows = read_set_aside(path) if path.is_file() else SetAside().rows
    return SetAside(rows=rows, left_out=about.get("left_out", {}), **told)


def _columns(items: pa.Table, kind: str) -> list[tuple[str, str]]:
    return [(column, column.partition(":")[2]) for column in items.column_names if column.startswith(f"{kind}:")]


def _strings(column: pa.ChunkedArray) -> np.ndarray:
    return column.to_numpy().astype(object)


def _write_truth(truth: Truth, path: Path) -> None:
    table = pa.table({"user_index": truth.user_index_P, "item_index": truth.item_index_P})
    if truth.candidates is not None:
        table = table.replace_schema_metadata({"candidates": json.dumps(truth.candidates.tolist())})
    pq.write_table(table, path)


def _read_truth(path: Path) -> Truth:
    table = pq.read_table(path)
    candidates = (table.schema.metadata or {}).get(b"candidates")
    return Truth(
        table["user_index"].to_numpy(),
        table["item_index"].to_numpy(),
        None if candidates is None else np.array(json.loads(candidates), dtype=np.int64),
    )
