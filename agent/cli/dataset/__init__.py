"""`capture-agent dataset ...`: one file for each subcommand."""
