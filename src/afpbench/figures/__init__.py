"""Figures of a finished task, one kind per file. They read what the workflow wrote and change none of it."""
