"""AWS: sessions per profile and region, and the services that a deployment asks."""
