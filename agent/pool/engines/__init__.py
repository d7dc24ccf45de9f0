"""What moves items to analysers: processes of this machine, or a Ray cluster."""
