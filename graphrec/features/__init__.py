"""Item features per modality, each with a presence mask. No graphs here."""
