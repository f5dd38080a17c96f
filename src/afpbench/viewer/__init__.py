"""The viewer: a study's images in a browser, from a small server of this machine."""
