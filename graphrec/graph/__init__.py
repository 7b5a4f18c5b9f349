"""The user-item graph, neighbour sampling and its views. No models here."""
