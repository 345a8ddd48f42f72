"""What the command line stands on: migrations, checks before the start, and the processes it starts and stops."""
