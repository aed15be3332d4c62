"""Where stages run: adapters over existing engines."""
