"""The known-good model: kept across restarts and used when a new file fails."""
