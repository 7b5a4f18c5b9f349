"""One file for each path: it reads the request, calls one function in a thread, and answers."""
