"""Reading, checking and splitting datasets: rows in, ids and indices out. No tensors here."""
