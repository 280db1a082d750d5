"""``flask ms365 export``: the mail of a mailbox, out of the database, as JSON Lines or mbox."""
