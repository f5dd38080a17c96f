"""What is measured: image metrics, structure metrics, and the long table that holds them."""
