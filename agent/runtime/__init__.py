"""Moves the data along the stations in threads, and owns start and stop.

Knows the world only through ports: importing it loads no camera, model or network library.
"""
