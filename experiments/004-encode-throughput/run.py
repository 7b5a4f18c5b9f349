"""Does encoding through graphrec cost anything over a bare open_clip loop?

python experiments/004-encode-throughput/run.py [--pictures FOLDER] writes metrics.json beside this file and the
table in README.md. Without a folder of pictures it draws some.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch.utils.data import DataLoader, Dataset

from graphrec.features.clip import ClipConfig, ClipEncoder
from graphrec.features.clip_loading import LoadedClip, load_clip
from graphrec.features.content_encoder import ContentEncoder

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from reporting import machine, write_metrics, write_table  # noqa: E402

BATCH_SIZE = 64
REPETITIONS = {"small": 5, "ViT-B-32": 3}
NUM_PICTURES = {"small": 512, "ViT-B-32": 128}
NUM_TEXTS = {"small": 2048, "ViT-B-32": 64}
LOADER = "DataLoader"
BARE = "bare loop"


@torch.inference_mode()
def bare_pictures(clip: LoadedClip, paths: list[Path]) -> np.ndarray:
    """What one writes first."""
    found = []
    for start in range(0, len(paths), BATCH_SIZE):
        pictures = [clip.preprocess(Image.open(path)) for path in paths[start : start + BATCH_SIZE]]
        found.append(clip.model.encode_image(torch.stack(pictures), normalize=True).numpy())
    return np.concatenate(found)


class Pictures(Dataset):
    def __init__(self, clip: LoadedClip, paths: list[Path]) -> None:
        self.preprocess, self.paths = clip.preprocess, paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> torch.Tensor:
        return self.preprocess(Image.open(self.paths[row]))


@torch.inference_mode()
def loader_pictures(clip: LoadedClip, paths: list[Path]) -> np.ndarray:
    """What one writes next: decoding in processes of its own."""
    loader = DataLoader(Pictures(clip, paths), BATCH_SIZE, num_workers=os.cpu_count() or 1)
    return np.concatenate([clip.model.encode_image(batch, normalize=True).numpy() for batch in loader])


@torch.inference_mode()
def bare_texts(clip: LoadedClip, texts: list[str]) -> np.ndarray:
    found = []
    for start in range(0, len(texts), BATCH_SIZE):
        tokens = clip.tokenize(texts[start : start + BATCH_SIZE])
        found.append(clip.model.encode_text(tokens, normalize=True).numpy())
    return np.concatenate(found)


def ways(encoder: ClipEncoder, paths: list[Path], texts: list[str]) -> dict[str, dict[str, Callable[[], np.ndarray]]]:
    """Kind → way → the work; each way does all of it."""
    clip, config = encoder.loaded, encoder.config

    def graphrec_pictures(cache: Path | None) -> np.ndarray:
        return ContentEncoder(config, cache=cache, clip=encoder).encode_images(paths).take()[0]

    def graphrec_texts(cache: Path | None) -> np.ndarray:
        return ContentEncoder(config, cache=cache, clip=encoder).encode_texts(texts).take()[0]

    def with_new_cache(work: Callable[[Path | None], np.ndarray]) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            return work(Path(folder))

    return {
        "pictures": {
            BARE: lambda: bare_pictures(clip, paths),
            LOADER: lambda: loader_pictures(clip, paths),
            "graphrec": lambda: graphrec_pictures(None),
            "graphrec, filling a cache": lambda: with_new_cache(graphrec_pictures),
        },
        "texts": {
            BARE: lambda: bare_texts(clip, texts),
            "graphrec": lambda: graphrec_texts(None),
            "graphrec, filling a cache": lambda: with_new_cache(graphrec_texts),
        },
    }


def measure(model: str, encoder: ClipEncoder, paths: list[Path], texts: list[str]) -> Iterator[dict]:
    """Every way in turn, again and again, so that a noisy moment of the machine hits all of them."""
    for kind, by_name in ways(encoder, paths, texts).items():
        if model != "small":  # where the model takes nearly all of the time, how pictures are decoded matters little
            by_name.pop(LOADER, None)
        expected = by_name[BARE]()  # also warms up
        seconds: dict[str, list[float]] = {name: [] for name in by_name}
        cpu_seconds: dict[str, list[float]] = {name: [] for name in by_name}
        equal = dict.fromkeys(by_name, True)
        for repetition in range(REPETITIONS[model]):
            names = list(by_name)
            for name in names[repetition % len(names) :] + names[: repetition % len(names)]:
                start, cpu_start = time.perf_counter(), cpu_time()
                x_ND = by_name[name]()
                seconds[name].append(time.perf_counter() - start)
                cpu_seconds[name].append(cpu_time() - cpu_start)
                equal[name] &= bool(np.array_equal(x_ND, expected))
        for name, taken in seconds.items():
            ratios = np.array(seconds[BARE]) / np.array(taken)
            cpu_ratios = np.array(cpu_seconds[name]) / np.array(cpu_seconds[BARE])
            yield {
                "model": model,
                "kind": kind,
                "way": name,
                "contents": len(expected),
                "per_second": round(len(expected) / float(np.median(taken)), 1),
                "ratio": round(float(np.median(ratios)), 3),
                "ratio_low": round(float(ratios.min()), 3),
                "ratio_high": round(float(ratios.max()), 3),
                "cpu_ratio": round(float(np.median(cpu_ratios)), 3),
                "same_bits": equal[name],
            }


def cpu_time() -> float:
    """Of this process and of those that it has waited for."""
    taken = os.times()
    return taken.user + taken.system + taken.children_user + taken.children_system


def random_model(name: str, folder: Path) -> str:
    """A model of that size: speed does not depend on the weights."""
    clip = load_clip(name, None, "cpu", random_seed=0)
    save_file(
        {key: tensor.contiguous() for key, tensor in clip.model.state_dict().items()}, folder / "model.safetensors"
    )
    (folder / "open_clip_config.json").write_text(json.dumps(clip.config))
    return f"local-dir:{folder}"


def drawn_pictures(folder: Path, count: int) -> list[Path]:
    """JPEGs of a shop's size: smooth colours, so that decoding is as cheap as on plain product pictures."""
    rng, paths = np.random.default_rng(0), []
    for number in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, size=(6, 4, 3), dtype=np.uint8))
        paths.append(folder / f"{number:05}.jpg")
        coarse.resize((400, 600), Image.Resampling.BICUBIC).save(paths[-1], quality=90)
    return paths


def table(metrics: dict) -> str:
    rows = [
        f"| {one['model']} | {one['kind']} | {one['way']} | {one['per_second']:,} "
        f"| {one['ratio']} ({one['ratio_low']} – {one['ratio_high']}) "
        f"| {one['cpu_ratio']} | {'yes' if one['same_bits'] else 'no'} |"
        for one in metrics["results"]
    ]
    repetitions = " and ".join(map(str, metrics["repetitions"]))
    return "\n".join(
        [
            "| model | what | way | per second | speed, bare loop = 1: median (lowest – highest) "
            "| CPU time, bare loop = 1 | same bits |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
            f"{metrics['pictures_are']}; batches of {metrics['batch_size']}, {repetitions} repetitions of each way "
            f"in turn, {metrics['threads']} torch thread(s) and {metrics['decode_threads']} decoding threads of "
            f"{metrics['machine']} (load {metrics['load_before']} before, {metrics['load_after']} after); "
            f"torch {metrics['torch']}.",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=Path, help="folder of pictures; default: drawn ones")
    given = parser.parse_args()
    torch.set_num_threads(1)  # the threads of a team wait for each other, which a busy machine draws out
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        most = max(NUM_PICTURES.values())
        paths = drawn_pictures(work, most) if given.pictures is None else sorted(given.pictures.iterdir())[:most]
        texts = [f"{n % 7} red dress with stripes and long sleeves, size {n}" for n in range(max(NUM_TEXTS.values()))]
        results = []
        for model, num_pictures in NUM_PICTURES.items():
            (work / model).mkdir()
            name = model if model == "small" else random_model(model, work / model)
            encoder = ClipEncoder(ClipConfig(model=name, batch_size=BATCH_SIZE))
            results += measure(model, encoder, paths[:num_pictures], texts[: NUM_TEXTS[model]])
            print(*results, sep="\n", flush=True)
    metrics = {
        "results": results,
        "pictures_are": "Drawn JPEGs of 400 x 600"
        if given.pictures is None
        else f"Pictures of {given.pictures.parent.name}",
        "batch_size": BATCH_SIZE,
        "repetitions": list(REPETITIONS.values()),
        "threads": torch.get_num_threads(),
        "decode_threads": ClipConfig().decode_threads,
        "load_before": round(load_before, 1),
        "load_after": round(os.getloadavg()[0], 1),
        **machine(),
    }
    write_metrics(HERE, metrics)
    write_table(HERE / "README.md", "results", table(metrics))


if __name__ == "__main__":
    main()
