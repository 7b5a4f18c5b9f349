"""A shop whose titles name the colour that its pictures show, and an architecture small enough to learn it at once."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from graphrec.clip_fit.fit import ClipFitConfig
from graphrec.clip_fit.training import TrainingConfig
from graphrec.data.dataset import Dataset
from graphrec.features.clip import ClipConfig

COLOURS = {
    "red": (220, 30, 30), "green": (30, 160, 40), "blue": (30, 60, 220), "yellow": (240, 220, 40),
    "black": (20, 20, 20), "white": (245, 245, 245), "pink": (250, 130, 180),
}  # fmt: skip


def write_shop(folder, num_items=70, seed=0):
    """Items "red thing 0", "green thing 1", …, each with a noisy picture of one colour."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    with (folder / "items.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["item_id", "title", "description", "image"])
        for item in range(num_items):
            colour = list(COLOURS)[item % len(COLOURS)]
            pixels = np.array(COLOURS[colour]) + rng.normal(0, 12, size=(20, 24, 3))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"images/{item}.png")
            rows.writerow([f"i{item:03}", f"{colour} thing {item}", f"It is {colour}.", f"images/{item}.png"])
    (folder / "dataset.yaml").write_text("name: colours\nitems: {text: [title, description]}\ninteractions: []\n")
    return folder


@pytest.fixture(scope="session")
def make_shop():
    return write_shop


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    return Dataset.load(write_shop(tmp_path_factory.mktemp("clip") / "shop"))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A folder with an architecture and no weights."""
    folder = tmp_path_factory.mktemp("tiny")
    config = {
        "model_cfg": {
            "embed_dim": 16,
            "vision_cfg": {"image_size": 16, "patch_size": 8, "width": 32, "head_width": 16, "layers": 1},
            "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 1, "layers": 1},
        },
        "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "resize_mode": "squash"},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return ClipConfig(model=f"local-dir:{folder}")


@pytest.fixture
def config(tiny):
    """Three short passes from random weights, with a checkpoint after every step."""
    training = TrainingConfig(epochs=3, batch_size=16, learning_rate=3e-3, checkpoint_seconds=0)
    return ClipFitConfig(clip=tiny, from_scratch=True, held_out=0.2, training=training)
