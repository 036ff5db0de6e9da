"""What operators see of the running product: log lines, figures for Prometheus, traces. None of it ever holds a key."""
