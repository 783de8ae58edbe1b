"""A link in, a verified file out."""
