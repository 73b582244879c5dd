"""Studies as files: written from one database, brought back into another."""
