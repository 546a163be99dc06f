"""What the service knows of this moment: frames read along, last quotes, subscriptions."""
