"""Facts about exchanges: sessions and calendars, symbols, contracts, expiries and rolls.

A component without I/O. Import the module that you need; nothing is loaded here:

- `calendars`: `calendar("XNYS")` and its siblings answer when a market is open
- `bar_starts`, `timeframes`: the bars that should exist, and Schwab's stamps of daily ones
- `markets`: `calendar_of(symbol)`
- `symbology`: `parse_symbol(text)` and the symbol types that it returns
- `contracts`: specifications of the usual futures roots, `expiry` and `active_contract`
- `rolls`: when to move from one contract to the next
- `option_expiry`: standard expiries, AM and PM settlement, the settlement moment
"""
