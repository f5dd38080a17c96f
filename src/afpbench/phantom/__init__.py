"""The built-in phantom: seeded paired MR and CT with true labels and a known deformation."""
