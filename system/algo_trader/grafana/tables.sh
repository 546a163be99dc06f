#!/bin/sh
# Make both databases and their empty tables in the InfluxDB at INFLUXDB3_HOST_URL. What exists is
# left alone, so a refusal is shown and not fatal: the trading system makes what is missing, too.
# The columns are those of system/algo_trader/storage/tables.py; a test compares them.
for database in algo_trader algo_trader_sim; do
    influxdb3 create database "$database"
    influxdb3 create table --database "$database" \
        --tags symbol,timeframe,session,source \
        --fields open:float64,high:float64,low:float64,close:float64,volume:int64,is_synthetic:bool,revision:int64,fetched_at:int64 \
        candles
    influxdb3 create table --database "$database" \
        --tags job,symbol,timeframe \
        --fields run_id:utf8,fetched:int64,new:int64,unchanged:int64,revised:int64,rejected:int64,gaps:int64,splits:int64,written:int64,read_back:int64,latency_ms:float64,failed:bool,token_age_s:float64 \
        pipeline_metrics
done
exit 0
