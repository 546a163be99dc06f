"""Options analytics: pure functions on arrays, with NumPy references beside the kernels.

Import the module that you need; nothing is loaded here:

- `black`: prices and Greeks; `implied`: implied volatility with a reason where there is none
- `chain`: the columns of a chain; `parity`: rates, time to expiry and forwards per expiry
- `surface`: one volatility and one set of Greeks a contract, and where they came from
- `exposure`, `profile`, `landmarks`, `ratios`: what dealers hold, where it turns, and what it says
- `gex`: all of the above in one report
- `iv_rank`: where today's volatility stands in its own past
"""
