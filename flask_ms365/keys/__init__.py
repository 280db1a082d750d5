"""Which encryption keys the database was used with, and moving it from one to another."""
