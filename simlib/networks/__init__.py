"""The networks behind the encoders: their weights, how they are built and what runs them."""
