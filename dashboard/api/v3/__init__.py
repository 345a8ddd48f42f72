"""OpenMeter's v3: snake_case, `page[number]`, unknown properties refused."""
