"""What Graph does to those who read it: the faults that are known, one module per kind."""
