"""The domain: what Contentsquare delivers and what follows from it. Values in, values out."""
