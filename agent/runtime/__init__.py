"""Moves the data along the stages in threads, and owns start and stop.

Knows the world only through ports: importing it loads no camera, model or network library.
"""
