"""`meterdesk up`: from whatever is there to a running Meterdesk, and back to nothing running."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.engine import make_url

from dashboard.settings import Settings
from dashboard.starting.checks import Address, address_of, check_port_free, prepare_data_dir, the_only_start
from dashboard.starting.first_start import ensure_owner, ensure_secret_key
from dashboard.starting.migrations import migrate
from dashboard.starting.processes import Processes, watched_processes

EMBEDDED_WORKER = "METERDESK_EMBEDDED_WORKER"
"""Whether the web process also runs the jobs: `1` or `0`."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which programs to start, and where the dashboard shall listen."""

    address: Address
    ui: bool = True
    worker: bool = True
    sandbox: bool = True


def start_and_watch(settings: Settings, wanted: Wanted, say: Callable[[str], None]) -> None:
    """Starts everything, says the addresses once they answer, returns when stopped. Raises what hinders the start."""
    settings = settings.model_copy(update={"data_dir": prepare_data_dir(settings.data_dir)})
    with the_only_start(settings.data_dir, wanted.address):
        check_port_free(wanted.address, "Choose another with --port, or stop that program.")
        sandbox = address_of(settings.sandbox_url)
        if wanted.sandbox:
            check_port_free(sandbox, "Move the sandbox with METERDESK_SANDBOX_URL, or start without it (--no-sandbox).")
        with watched_processes() as processes:
            # The sandbox shares nothing with the rest, so it can come up meanwhile.
            if wanted.sandbox:
                _start_sandbox(processes, settings, sandbox)
            if migrate(make_url(settings.effective_database_url)):
                say("The database is up to date.")
            ensure_secret_key(settings)
            somebody_may_sign_in = ensure_owner(settings)
            _start_web(processes, settings, wanted)
            if not _all_answering(processes, wanted, sandbox):
                return
            _say_addresses(say, settings, wanted, sandbox, somebody_may_sign_in)
            processes.wait_until_stopped()
            say("Stopping…")
    say("Stopped.")


def _start_sandbox(processes: Processes, settings: Settings, address: Address) -> None:
    place = ("--host", address.host, "--port", str(address.port))
    processes.start("sandbox", "dashboard.stripe_sandbox", *place, "--data-dir", str(settings.data_dir), environment={})


def _start_web(processes: Processes, settings: Settings, wanted: Wanted) -> None:
    processes.start(
        "web server",
        "dashboard.starting.web",
        *("--host", wanted.address.host, "--port", str(wanted.address.port)),
        "--ui" if wanted.ui else "--no-ui",
        environment={
            "METERDESK_DATA_DIR": str(settings.data_dir),
            EMBEDDED_WORKER: "1" if wanted.worker else "0",
        },
    )


def _all_answering(processes: Processes, wanted: Wanted, sandbox: Address) -> bool:
    if not processes.wait_until_answering(wanted.address, "/health"):
        return False
    return not wanted.sandbox or processes.wait_until_answering(sandbox, "/")


def _say_addresses(
    say: Callable[[str], None], settings: Settings, wanted: Wanted, sandbox: Address, somebody_may_sign_in: bool
) -> None:
    url = wanted.address.url
    lines = ["Meterdesk is ready."]
    if wanted.ui:
        lines.append(f"  Dashboard       {url}")
    lines.append(f"  REST API        {url}/api/v1  (documentation: {url}/api/docs)")
    if wanted.sandbox:
        lines.append(f"  Stripe sandbox  {sandbox.url}")
    lines.append(f"  Data            {settings.data_dir}")
    if wanted.ui and not somebody_may_sign_in:
        lines.append(f"Open {url} to create the owner account.")
    lines.append("Ctrl-C stops everything.")
    say("\n".join(lines))
