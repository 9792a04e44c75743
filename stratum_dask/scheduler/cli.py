"""``dask stratum``: what the plugin of a running scheduler has to say."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import click
from dask.utils import format_bytes


@click.group()
def stratum() -> None:
    """Work that the clients of a cluster share."""


@stratum.command()
@click.argument("address")
@click.option("--json", "as_json", is_flag=True, help="Print all that there is as JSON.")
@click.option("--tls-ca-file", type=click.Path(exists=True), help="Of a cluster that uses TLS.")
@click.option("--tls-cert", type=click.Path(exists=True))
@click.option("--tls-key", type=click.Path(exists=True))
def status(
    address: str,
    as_json: bool,
    tls_ca_file: str | None,
    tls_cert: str | None,
    tls_key: str | None,
) -> None:
    """Say what the scheduler at ADDRESS keeps, and how its candidates fare."""
    from distributed.security import Security

    files = {"tls_ca_file": tls_ca_file, "tls_client_cert": tls_cert, "tls_client_key": tls_key}
    security = Security(**{name: file for name, file in files.items() if file})
    try:
        found = asyncio.run(_ask(address, security))
    except (OSError, AttributeError, ValueError) as error:
        raise click.ClickException(
            f"the scheduler at {address} does not answer: {error}. Does it run, with "
            "--preload stratum_dask.scheduler, and without TLS unless the address begins with tls://?"
        ) from error
    if as_json:
        click.echo(json.dumps(found, indent=2, default=str))
        return
    for name, value in _lines(found):
        click.echo(f"{name + ':':<14}{value}")


async def _ask(address: str, security: Any) -> dict[str, Any]:
    from distributed.core import rpc

    arguments = security.get_connection_args("client")
    if address.startswith("tls://") and arguments["ssl_context"] is None:
        raise click.ClickException(
            f"the scheduler at {address} uses TLS: give --tls-ca-file, --tls-cert and --tls-key, "
            "or set distributed.comm.tls in Dask's configuration"
        )
    async with rpc(address, connection_args=arguments) as scheduler:
        metadata = await scheduler.get_metadata(keys=["stratum"], default=None)
        if not metadata:
            raise ValueError("it has no plugin of stratum_dask, or one that is switched off")
        found: dict[str, Any] = await scheduler.stratum_state()
        return found


def _lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    kept, stored = found["retention"], found["store"]
    candidates = ", ".join(f"{n:,} {status}" for status, n in found["candidates"].items() if n)
    return [
        ("version", found["version"]),
        ("candidates", candidates or "none"),
        ("tasks", f"{found['tasks']:,} computed, {found['merged']:,} merged into others"),
        ("values found", f"{found['hits']:,} of {found['hits'] + found['misses']:,} asked for"),
        ("saved", f"{found['seconds_saved']:,.1f} s"),
        (
            "kept",
            f"{kept['values']:,} values, {format_bytes(kept['bytes'])} of "
            f"{format_bytes(kept['budget'])}; {kept['evictions']:,} dropped",
        ),
        (
            "store",
            f"{stored['hits']:,} values read, {stored['written']:,} written; "
            f"{sum(stored['misses'].values()):,} not read, "
            f"{sum(stored['refused'].values()):,} not written",
        ),
        ("workers", ", ".join(f"{n:,} x {name}" for name, n in found["environments"].items())),
    ]
