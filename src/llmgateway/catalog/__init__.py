"""What models exist, who offers them, at what price: generated data, its compiler and its lookup."""
