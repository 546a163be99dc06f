"""Who traded, where and how hard: order flow from trades and quotes, arrays in and arrays out."""
