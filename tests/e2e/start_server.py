"""Starts Meterdesk's web process on the port given, with its tables made: what `meterdesk up` does, and no more."""

import sys

from sqlalchemy import create_engine
from sqlmodel import SQLModel

import dashboard.tables  # noqa: F401 (fills the metadata)
from dashboard.settings import Settings
from dashboard.ui.serving import serve


def main() -> None:
    settings = Settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    engine = create_engine(settings.effective_database_url)
    SQLModel.metadata.create_all(engine)
    engine.dispose()
    serve("127.0.0.1", int(sys.argv[1]))


if __name__ == "__main__":
    main()
