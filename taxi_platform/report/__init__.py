"""What the reports say: figures asked of the models, and pages made of them. How charts look belongs in ``charts``."""
