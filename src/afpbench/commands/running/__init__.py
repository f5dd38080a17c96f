"""What `afpbench run` and `afpbench plan` are made of: jobs, durations, logs, the child process, the display."""
