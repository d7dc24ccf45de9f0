"""What a pool is made of: folders, files, recordings, dataset folders and buckets.

    SOURCE... -> list_items -> items sorted by key -> ItemReader, in any process

Listing reads names alone. Each item is listed once, also where sources overlap, in the same order
on every machine.
"""
