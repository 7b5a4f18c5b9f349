"""Whether anything of the held-out data reached training: named checks that every evaluation runs first."""
