"""The screens: Reflex pages and the states behind them. See README.md for how to add one."""
