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
        --tags symbol,source,slot \
        --fields price:float64,size:int64,aggressor:utf8,sequence:int64,ts_recv:int64,is_synthetic:bool \
        trades
    influxdb3 create table --database "$database" \
        --tags symbol,source,slot \
        --fields bid_price:float64,bid_size:int64,ask_price:float64,ask_size:int64,sequence:int64,ts_recv:int64,is_synthetic:bool \
        quotes
    influxdb3 create table --database "$database" \
        --tags symbol,source,side,level \
        --fields price:float64,size:int64,orders:int64,sequence:int64,ts_recv:int64,is_synthetic:bool \
        books
    influxdb3 create table --database "$database" \
        --tags underlying,expiry,strike,right,root,source \
        --fields bid:float64,ask:float64,last:float64,volume:int64,open_interest:int64,iv:float64,delta:float64,gamma:float64,theta:float64,vega:float64,spot:float64,is_synthetic:bool \
        option_quotes
    influxdb3 create table --database "$database" \
        --tags underlying,expiry,strike,source \
        --fields gex:float64,call_gex:float64,put_gex:float64,dex:float64,vex:float64,chex:float64,open_interest:int64,is_synthetic:bool \
        option_exposure
    influxdb3 create table --database "$database" \
        --tags underlying,expiry,source \
        --fields spot:float64,gex:float64,flip:float64,call_wall:float64,put_wall:float64,max_pain:float64,atm_iv:float64,iv_rank:float64,iv_percentile:float64,put_call_ratio:float64,expected_move:float64,is_synthetic:bool \
        option_metrics
    influxdb3 create table --database "$database" \
        --tags symbol,timeframe,source \
        --fields buy_volume:int64,sell_volume:int64,unknown_volume:int64,delta:int64,cumulative_delta:int64,vwap:float64,trades:int64,large_trades:int64,sweeps:int64,at_bid:float64,at_mid:float64,at_ask:float64,basis:utf8,sampled:bool,is_synthetic:bool \
        tape_metrics
    influxdb3 create table --database "$database" \
        --tags job,symbol,timeframe \
        --fields run_id:utf8,fetched:int64,new:int64,unchanged:int64,revised:int64,rejected:int64,gaps:int64,splits:int64,written:int64,read_back:int64,latency_ms:float64,failed:bool,token_age_s:float64,service:utf8,lag_ms:float64,lag_tail_ms:float64,reconnects:int64,waiting_redis:int64,waiting_archive:int64,bars:int64,missing:int64,gap_s:float64,silent:int64,gaps_open:int64,gaps_backfilled:int64,gaps_lost:int64,gaps_suspected:int64 \
        pipeline_metrics
    influxdb3 create table --database "$database" \
        --tags symbol,taxonomy,concept,unit,accession,period_start \
        --fields value:float64,filed_at:int64,form:utf8,fiscal_year:int64,fiscal_period:utf8 \
        company_facts
    influxdb3 create table --database "$database" \
        --tags strategy,symbol,mode,run_id \
        --fields action:utf8,strength:float64,price:float64,reason:utf8 \
        signals
    influxdb3 create table --database "$database" \
        --tags strategy,mode,run_id \
        --fields equity:float64,cash:float64,exposure:float64,drawdown:float64 \
        equity
done
exit 0
