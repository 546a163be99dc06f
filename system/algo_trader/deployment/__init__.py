"""What deployments are made of: the image, the compose service, the systemd units."""
