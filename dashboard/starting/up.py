"""`meterdesk up`: from whatever is there to a running Meterdesk, and back to nothing running."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from dashboard.settings import Settings
from dashboard.starting.checks import (
    Address,
    address_of,
    check_port_free,
    prepare_data_dir,
    read_settings,
    the_only_start,
)
from dashboard.starting.processes import Processes, become, watched_processes

PORT = click.IntRange(1, 65535)
EMBEDDED_WORKER = "METERDESK_EMBEDDED_WORKER"
"""Whether the web process also runs the jobs: `1` or `0`."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which programs to start, and where the dashboard shall listen."""

    address: Address
    ui: bool = True
    worker: bool = True
    sandbox: bool = True


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=PORT)
@click.option("--no-ui", is_flag=True, help="Only the REST API; needs no node.")
@click.option("--no-worker", is_flag=True, help="Run no jobs here; `meterdesk worker` does it elsewhere.")
@click.option("--no-sandbox", is_flag=True, help="Start no Stripe sandbox.")
def up(host: str, port: int, no_ui: bool, no_worker: bool, no_sandbox: bool) -> None:
    """Start everything on one port: dashboard, REST API, worker, and the Stripe sandbox beside them."""
    wanted = Wanted(Address(host, port), ui=not no_ui, worker=not no_worker, sandbox=not no_sandbox)
    start_and_watch(read_settings(), wanted, click.echo)


@click.command()
@click.option("--port", type=PORT, help="Where to listen instead of METERDESK_SANDBOX_URL.")
def sandbox(port: int | None) -> None:
    """Only the Stripe sandbox."""
    settings = read_settings()
    data_dir = prepare_data_dir(settings.data_dir)
    named = address_of(settings.sandbox_url)
    address = Address(named.host, port or named.port)
    check_port_free(address, "Choose another with --port, or stop that program.")
    become("dashboard.stripe_sandbox", *_sandbox_arguments(data_dir, address))


def start_and_watch(settings: Settings, wanted: Wanted, say: Callable[[str], None]) -> None:
    """Starts everything, says the addresses once they answer, returns when stopped. Raises what hinders the start."""
    data_dir = prepare_data_dir(settings.data_dir)
    sandbox_address = address_of(settings.sandbox_url)
    with the_only_start(data_dir, wanted.address):
        check_port_free(wanted.address, "Choose another with --port, or stop that program.")
        if wanted.sandbox:
            remedy = "Move the sandbox with METERDESK_SANDBOX_URL, or start without it (--no-sandbox)."
            check_port_free(sandbox_address, remedy)
        with watched_processes() as processes:
            _start_web(processes, data_dir, wanted)
            if wanted.sandbox:
                arguments = _sandbox_arguments(data_dir, sandbox_address)
                processes.start("sandbox", "dashboard.stripe_sandbox", *arguments, environment={})
            if _all_answering(processes, wanted, sandbox_address):
                say(_addresses(data_dir, wanted, sandbox_address))
                processes.wait_until_stopped()
            say("Stopping…")
    say("Stopped.")


def _start_web(processes: Processes, data_dir: Path, wanted: Wanted) -> None:
    place = ("--host", wanted.address.host, "--port", str(wanted.address.port))
    environment = {"METERDESK_DATA_DIR": str(data_dir), EMBEDDED_WORKER: "1" if wanted.worker else "0"}
    screens = "--ui" if wanted.ui else "--no-ui"
    processes.start("web server", "dashboard.starting.web", *place, screens, environment=environment)


def _sandbox_arguments(data_dir: Path, address: Address) -> tuple[str, ...]:
    return "--host", address.host, "--port", str(address.port), "--data-dir", str(data_dir)


def _all_answering(processes: Processes, wanted: Wanted, sandbox_address: Address) -> bool:
    if not processes.wait_until_answering(wanted.address, "/health"):
        return False
    return not wanted.sandbox or processes.wait_until_answering(sandbox_address, "/")


def _addresses(data_dir: Path, wanted: Wanted, sandbox_address: Address) -> str:
    url = wanted.address.url
    lines = ["Meterdesk is ready."]
    if wanted.ui:
        lines.append(f"  Dashboard       {url}")
    lines.append(f"  REST API        {url}/api/v1  (documentation: {url}/api/docs)")
    if wanted.sandbox:
        lines.append(f"  Stripe sandbox  {sandbox_address.url}")
    lines += [f"  Data            {data_dir}", "Ctrl-C stops everything."]
    return "\n".join(lines)
