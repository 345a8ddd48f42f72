"""What was used: usage events, meters, and the measured quantity of a period."""
