"""The labelling budget: the ledger of credits, what a credit buys, and the send order."""
