"""Processes: what the host does with new mail of a team's mailbox, once a conversation.

A *process* is a function of the host's under a name. An admin chooses one for a mailbox and fills in its *options*; it
is called for the first message of each conversation that was received since, in the transaction that stores it.
"""
