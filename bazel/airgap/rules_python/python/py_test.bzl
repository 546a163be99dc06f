"""py_test, the native rule of Bazel 7."""

def py_test(name, **kwargs):
    """Declare a native py_test.

    Args:
      name: the target's name.
      **kwargs: passed on unchanged.
    """
    native.py_test(name = name, **kwargs)  # buildifier: disable=native-py
