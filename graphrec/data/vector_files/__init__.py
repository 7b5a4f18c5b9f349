"""The files that vectors come in, one module per layout: each gives ids and one row of numbers per id."""
