"""The Schwab Trader API: sign-in, requests, typed answers. Its facade is `infrastructure.clients`.

Modules: `oauth` (sign-in and tokens), `rest` (one authorised request), `refusals` (what an answer
that is no success means), `enums`, `symbols` and `history` (what may be asked), `market_data`
(the endpoints), `wire`, `candles` and `models` (typed answers that keep unknown fields).
"""
