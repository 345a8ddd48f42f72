"""OpenMeter's v1: camelCase, numbered pages, unknown properties ignored."""
