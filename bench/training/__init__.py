"""Fine-tuning: recipe, geometry, latent cache, and the one loop."""
