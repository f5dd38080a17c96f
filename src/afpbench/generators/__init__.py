"""Networks that turn MR into CT beside nnU-Net's own, and what a GAN needs besides. Plans name them by import path."""
