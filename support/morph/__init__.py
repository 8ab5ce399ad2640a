"""What a morph consists of: its endpoints, the paths between them, and pictures."""
