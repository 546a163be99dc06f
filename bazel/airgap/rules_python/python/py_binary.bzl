"""py_binary, the native rule of Bazel 7."""

def py_binary(name, **kwargs):
    """Declare a native py_binary.

    Args:
      name: the target's name.
      **kwargs: passed on unchanged.
    """
    native.py_binary(name = name, **kwargs)  # buildifier: disable=native-py
