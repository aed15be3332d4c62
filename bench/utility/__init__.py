"""What a defense costs: pictures generated from unseen captions, and distances to real ones."""
