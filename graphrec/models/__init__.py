"""GraphSAGE, the content head, losses and the training loop. No files and no indexes here."""
