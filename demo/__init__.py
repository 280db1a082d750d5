"""Contoso Cycles: a small back office that mounts flask-ms365, and a Microsoft 365 to try it with."""
