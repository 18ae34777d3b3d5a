"""Scripts that run between the host and a worker's first process. Each is a program of its own: standard library only."""
