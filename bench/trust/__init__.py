"""Gates: whether figures mean what they say. A row that fails one is told so and never ranked."""
