"""What is in the tables, one concern each."""
