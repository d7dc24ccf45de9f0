"""Moves the data through the pipeline stages in threads, and controls start and stop.

It uses cameras, model and endpoint only through ports: importing it loads none of their libraries.
"""
