"""An hour of virtual market in bad weather: the whole client against the local Schwab's faults.

What is chosen by a seed is chosen by it alone; what the sockets and threads make of it is not, so
a run is judged by what must hold in every order of events: see `verdict`.
"""
