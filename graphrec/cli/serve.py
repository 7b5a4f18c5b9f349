"""`graphrec serve`: a run over HTTP."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphrec.cli.options import RUN, DeviceOption, checked_device
from graphrec.cli.output import answer
from graphrec.errors import GraphRecError

if TYPE_CHECKING:
    from graphrec.live_run import LiveRun
    from graphrec.serving.server import ServeSettings


def serve(
    run: Annotated[Path, typer.Argument(metavar="[RUN]", help="The run folder to serve.")] = RUN,
    host: Annotated[str, typer.Option(help="The address to listen on; others than 127.0.0.1 need keys.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8000,
    keys: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="API keys that are let in, one line each (SHA-256, never the key itself). Default: the lines in the "
            "environment variable GRAPHREC_API_KEYS.",
            show_default=False,
        ),
    ] = None,
    new_key: Annotated[
        str | None,
        typer.Option(
            metavar="SCOPES",
            help="Make a key for read, write or read,write, show it once, add it to --keys, and end.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="With --new-key: whose key it is, for the log.")] = "client",
    no_keys: Annotated[bool, typer.Option("--no-keys", help="Let everybody in who can reach --host.")] = False,
    cors: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN",
            help="A web site whose pages may call the service, such as https://shop.example; may be given several "
            "times.",
            show_default=False,
        ),
    ] = None,
    max_body: Annotated[int, typer.Option(metavar="MIB", min=1, max=4096, help="Of a request with its pictures.")] = 32,
    max_picture: Annotated[int, typer.Option(metavar="MIB", min=1, max=64, help="Of one picture.")] = 10,
    docs: Annotated[
        bool, typer.Option("--docs", help="A page to try things at /docs; your browser fetches its script from a CDN.")
    ] = False,
    device: DeviceOption = "auto",
) -> None:
    """Recommend, search, and take in items and events over HTTP, while new trainings replace the run.

    One JSON line for each request goes to standard error; nobody can be recognised by it. SIGTERM and Ctrl+C finish the
    requests in flight.
    """
    _require_packages()
    from graphrec.serving.keys import ENVIRONMENT, ApiKeys
    from graphrec.serving.limits import Limits

    if new_key is not None:
        _make_key(new_key, name, keys)
        return
    if no_keys and keys is not None:
        raise typer.BadParameter("--keys and --no-keys exclude each other", param_hint="--no-keys")
    known = ApiKeys() if no_keys else ApiKeys.read(keys, os.environ.get(ENVIRONMENT))
    limits = Limits(body_bytes=max_body << 20, picture_bytes=max_picture << 20)
    from graphrec.artifact import read_manifest
    from graphrec.serving.app import check_origins
    from graphrec.serving.server import ServeSettings, check_reach, listen
    from graphrec.serving.server import serve as answer_requests

    settings = ServeSettings(
        run=run, device=checked_device(device), host=host, keys=known, cors=tuple(cors or ()), limits=limits, docs=docs
    )
    check_origins(settings.cors)
    check_reach(settings, no_keys)
    read_manifest(run, verify=False)  # a wrong path is told before anything is listened on
    bound = listen(host, port)
    address = f"http://{f'[{host}]' if ':' in host else host}:{bound.getsockname()[1]}"
    answer_requests(settings, bound, lambda live: _announce(settings, address, live))


def _announce(settings: "ServeSettings", address: str, live: "LiveRun") -> None:
    """What a person wants to know, once the service answers."""
    from rich.table import Table

    model, keys = live.model, settings.keys
    scopes = ", ".join(f"{one.name} ({', '.join(one.scopes)})" for one in keys.records)
    reach = "this machine alone" if settings.is_local else "EVERYBODY who can reach it may read and write"
    needed = "-H 'Authorization: Bearer KEY' " if keys.are_required else ""
    block = Table.grid(padding=(0, 2))
    for label, value in (
        ("graphrec", address),
        ("run", f"{settings.run}: {len(model.train_.catalogue):,} items, {len(model.train_.user_ids):,} users"),
        ("model", f"version {live.version}, {live.sequence:,} changes taken in"),
        ("keys", scopes or f"none: {reach}"),
        ("try", f"curl {needed}'{address}/v1/recommend?k=5'"),
        ("spec", f"{address}/{'docs' if settings.docs else 'openapi.json'}"),
    ):
        block.add_row(label, value)
    screen = answer()
    screen.print(block, markup=False, soft_wrap=True)


def _make_key(scopes: str, name: str, file: Path | None) -> None:
    from graphrec.serving.keys import ENVIRONMENT, append_key, new_key

    key, record = new_key([one.strip() for one in scopes.split(",")], name)
    if file is not None:
        append_key(record, file)
    typer.echo(key)
    kept = f"Its line was added to {file}." if file else f"Its line for a --keys file, or {ENVIRONMENT}:\n"
    typer.echo(f"The key is shown once; send it as `Authorization: Bearer KEY`. {kept}", err=True)
    if file is None:
        typer.echo(record.model_dump_json(), err=True)


def _require_packages() -> None:
    try:
        import fastapi  # noqa: F401
        import prometheus_client  # noqa: F401
        import python_multipart  # noqa: F401
        import structlog  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise GraphRecError(f"serve needs {error.name}: pip install 'graphrec[serve]'.") from None
