"""A demo company, made and removed through the same services people use. `python -m dashboard.seed [--remove]`."""
