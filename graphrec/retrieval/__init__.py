"""FAISS indexes and queries over served vectors. No training here."""
