"""EMNIST's side jobs: NIST's file formats, the download, and the made-up demo set."""
