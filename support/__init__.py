"""Modules that dataset.py and autoencoder.py use; none of them imports these two."""
