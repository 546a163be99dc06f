"""A small server that speaks InfluxDB 3's HTTP and Flight on one port, for one machine.

It is not InfluxDB: `/ping` says so. Its data is Parquet parts plus a write-ahead log in one folder.
"""
