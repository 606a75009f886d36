"""The names of version 0.1 that a copied ``dagster.yaml`` may still hold; ``taxi doctor`` reports it. To be removed."""
