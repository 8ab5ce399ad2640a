"""What dataset.py and autoencoder.py lean on; nothing here imports them."""
