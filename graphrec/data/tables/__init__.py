"""Files read as tables of strings, each row with its number, whatever the format."""
