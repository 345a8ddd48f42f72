"""OpenMeter's v3: one file per resource."""
