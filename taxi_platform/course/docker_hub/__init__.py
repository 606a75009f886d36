"""How often an image was pulled from Docker Hub, as the course's second flow asks."""
