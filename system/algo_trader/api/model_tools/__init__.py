"""The tools that models ask with, over the Model Context Protocol."""
