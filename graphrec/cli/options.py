"""Arguments and options that several commands share."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

RUN = Path("runs/latest")
CACHE = Path("runs/cache")
DatasetArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[DATASET]", help="A dataset folder or dataset.yaml. Default: the sample store.", show_default=False
    ),
]
RootOption = Annotated[
    Path | None, typer.Option(help="Folder that the paths in dataset.yaml start from.", show_default=False)
]
RunOption = Annotated[Path, typer.Option("--run", help="The run folder to read.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
ConfigOption = Annotated[Path | None, typer.Option(help="YAML file with settings.", show_default=False)]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Override one setting, such as model.encoder.dim=64.", show_default=False
    ),
]
ClipOption = Annotated[
    str | None,
    typer.Option(
        "--clip",
        metavar="NAME",
        help="The CLIP for pictures and texts: small, MODEL:TAG or MODEL:FILE of open_clip (ViT-B-32:openai), "
        "hf-hub:NAME, or a folder such as runs/clip. Default: the settings' (small).",
        show_default=False,
    ),
]
CacheOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder that remembers CLIP vectors by content, so that nothing is encoded twice. Default: runs/cache.",
        show_default=False,
    ),
]
NoCacheOption = Annotated[bool, typer.Option("--no-cache", help="Neither read nor write a cache of CLIP vectors.")]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
KOption = Annotated[int, typer.Option("-k", min=1, help="How many items.")]
SiteOption = Annotated[
    list[str] | None,
    typer.Option(help="Only items of this site; may be given several times.", show_default=False),
]
WhereOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help='Only items with this attribute, such as "category=shoes|boots" or price=10..50; all given must hold.',
        show_default=False,
    ),
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ID,ID", help="Items to leave out, separated by commas or given several times.", show_default=False
    ),
]
KeyEnvOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="User ids are those of the files, and the run knows pseudonyms: the environment variable with their key.",
        show_default=False,
    ),
]
KeyFileOption = Annotated[Path | None, typer.Option(help="The same, with the key in a file.", show_default=False)]


def split_ids(given: list[str] | None) -> tuple[str, ...]:
    """Ids given several times or with commas between them, in their order."""
    return tuple(one.strip() for one in ",".join(given or ()).split(",") if one.strip())


def chosen_cache(cache: Path | None, no_cache: bool) -> Path | None:
    """The folder that `--cache` and `--no-cache` ask for; a usage error for both at once."""
    if cache is not None and no_cache:
        raise typer.BadParameter("--cache and --no-cache exclude each other", param_hint="--cache")
    return None if no_cache else cache or CACHE


def checked_device(name: str) -> Any:
    """The device that `--device` names; a usage error for another word."""
    if name not in ("auto", "cpu", "cuda"):
        raise typer.BadParameter(f"expected auto, cpu or cuda, got {name!r}", param_hint="--device")
    return name


def chosen_key(env: str | None, file: Path | None) -> Any:
    """Where the key is that `--key-env` or `--key-file` names, None for neither; a usage error for anything else."""
    from pydantic import ValidationError

    from graphrec.data.dataset_yaml import one_line
    from graphrec.data.privacy.settings import KeySource, looks_like_a_key

    if env is None and file is None:
        return None
    if env is not None and file is not None:
        raise typer.BadParameter("--key-env and --key-file exclude each other", param_hint="--key-env")
    if file is not None and (os.path.isfile(file.expanduser()) or not looks_like_a_key(str(file))):
        file = file.expanduser().absolute()
    try:
        return KeySource(key_env=env, key_file=None if file is None else str(file))
    except ValidationError as error:  # without the value: it may be the key itself
        raise typer.BadParameter(one_line(error, KeySource), param_hint="--key-env / --key-file") from None
