"""Keeps what the analysis found, so that no image is analysed twice and a kill costs one image.

    OUT/.pool/settings.json      what the rows depend on; other settings are refused
    OUT/.pool/lock               the process that works on OUT now
    OUT/.pool/NAME.rows          rows of the part in progress of one process, one by one
    OUT/.pool/NAME-NUMBER.CRC.parquet    sealed parts of some thousand rows, never changed

The same names are objects below `s3://BUCKET/PREFIX/.pool/`.
"""
