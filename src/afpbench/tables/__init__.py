"""Tables: the numbers (build), the paper's own numbers (published), and their forms (render)."""
