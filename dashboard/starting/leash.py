"""`python -m dashboard.starting.leash MODULE …`: runs MODULE as a program that does not outlive whoever started it.

The starter holds the other end of our standard input. When that end closes, because the starter stopped or was killed
without a chance to say so, this process and its children are asked to end, and after a grace period made to.
"""

import contextlib
import os
import runpy
import signal
import sys
import threading
import time

GRACE_SECONDS = 5.0


def main() -> None:
    """Takes the module and its arguments from the command line."""
    module, *arguments = sys.argv[1:]
    threading.Thread(target=_end_with_the_starter, name="leash", daemon=True).start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_with_the_starter() -> None:
    while os.read(0, 1024):
        pass
    for sent in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            # The starter made us the head of a group: whatever we started meanwhile is in it.
            os.killpg(0, sent) if os.getpgrp() == os.getpid() else os.kill(os.getpid(), sent)
        time.sleep(GRACE_SECONDS)


if __name__ == "__main__":
    main()
