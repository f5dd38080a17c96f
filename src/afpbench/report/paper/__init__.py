"""A study's results as a folder that LaTeX makes a paper of."""
