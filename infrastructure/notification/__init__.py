"""Short texts to where a person looks: ntfy, Slack, Discord, mail."""
