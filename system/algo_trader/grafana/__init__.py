"""The dashboards and the provisioning files of Grafana."""
