"""Starts one web process on the port given, its tables made; the second argument names another app."""

import sys

from sqlalchemy import create_engine
from sqlmodel import SQLModel

import dashboard.tables  # noqa: F401 (fills the metadata)
from dashboard.settings import Settings
from dashboard.ui.serving import WEB_APP, serve


def main() -> None:
    settings = Settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    engine = create_engine(settings.effective_database_url)
    SQLModel.metadata.create_all(engine)
    engine.dispose()
    port, app = int(sys.argv[1]), sys.argv[2] or WEB_APP
    serve("127.0.0.1", port, app=app)


if __name__ == "__main__":
    main()
