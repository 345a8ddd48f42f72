"""`start_server.py MODULE:APP --port N`: serves another app than the product's, on a database that is ready."""

import sys

from dashboard.ui.serving import serve


def main() -> None:
    app, _, port = sys.argv[1:]
    serve("127.0.0.1", int(port), app=app)


if __name__ == "__main__":
    main()
