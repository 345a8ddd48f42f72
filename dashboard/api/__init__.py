"""The REST door: one file per OpenMeter resource, thin: parse, one call, answer."""
