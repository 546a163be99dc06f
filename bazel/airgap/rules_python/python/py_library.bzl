"""py_library, the native rule of Bazel 7."""

def py_library(name, **kwargs):
    """Declare a native py_library.

    Args:
      name: the target's name.
      **kwargs: passed on unchanged.
    """
    native.py_library(name = name, **kwargs)  # buildifier: disable=native-py
