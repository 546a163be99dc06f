"""One pure order-matching engine: quotes and orders in, fills and changes of status out."""
