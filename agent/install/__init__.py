"""Installs the systemd service: `plan.py` decides, `apply.py` acts."""
