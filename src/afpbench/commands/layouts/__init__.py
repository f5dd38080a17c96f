"""How the files of a folder are laid out: what `afpbench init` recognises."""
