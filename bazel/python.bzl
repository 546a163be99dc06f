"""The rules that our BUILD files use: Python rules as they are, and tests that run pytest on one file.

Each test rule is one kind of test (see .bazelrc): its tag is what `--config=KIND` picks.
"""

load("@rules_python//python:py_binary.bzl", _py_binary = "py_binary")
load("@rules_python//python:py_library.bzl", _py_library = "py_library")
load("@rules_python//python:py_test.bzl", "py_test")

py_binary = _py_binary
py_library = _py_library

_RUNNER = "//bazel:pytest_main.py"
_RUNNER_DEPS = [
    "//:conftest",
    "@pypi//pytest",
    "@pypi//pytest_timeout",
]

def _pytest(name, src, kind, deps, tags = [], **kwargs):
    py_test(
        name = name,
        srcs = [src, _RUNNER],
        main = _RUNNER,
        args = ["$(rootpath {})".format(src)],
        tags = [kind] + tags,
        deps = depset(_RUNNER_DEPS + deps).to_list(),
        **kwargs
    )

def py_unit_test(name, src, deps = [], size = "small", tags = [], **kwargs):
    """A test with no service and no network.

    Args:
      name: the target's name.
      src: the one test file.
      deps: libraries that it imports.
      size: Bazel's size; the limits stand in .bazelrc.
      tags: further tags.
      **kwargs: passed on to py_test.
    """
    _pytest(name, src, "unit", deps, size = size, tags = tags, **kwargs)

def py_integration_test(name, src, deps = [], size = "medium", timeout = "short", tags = [], **kwargs):
    """A test with real servers out of PyPI wheels on loopback, without root.

    Args:
      name: the target's name.
      src: the one test file.
      deps: libraries that it imports.
      size: Bazel's size; the limits stand in .bazelrc.
      timeout: Bazel's class of time; the limits stand in .bazelrc.
      tags: further tags.
      **kwargs: passed on to py_test.
    """
    _pytest(name, src, "integration", deps, size = size, timeout = timeout, tags = ["requires-network"] + tags, **kwargs)

def py_system_test(name, src, deps = [], size = "large", tags = [], **kwargs):
    """A test that sees the machine: root, apt packages, Docker. One at a time and unsandboxed.

    Args:
      name: the target's name.
      src: the one test file.
      deps: libraries that it imports.
      size: Bazel's size; the limits stand in .bazelrc.
      tags: further tags.
      **kwargs: passed on to py_test.
    """
    _pytest(
        name,
        src,
        "system",
        deps,
        size = size,
        tags = ["exclusive", "external", "local", "no-cache", "no-sandbox", "requires-network"] + tags,
        **kwargs
    )

def py_soak_test(name, src, deps = [], size = "enormous", tags = [], **kwargs):
    """A long run, started by hand with `--config=soak`.

    Args:
      name: the target's name.
      src: the one test file.
      deps: libraries that it imports.
      size: Bazel's size; the limits stand in .bazelrc.
      tags: further tags.
      **kwargs: passed on to py_test.
    """
    _pytest(
        name,
        src,
        "soak",
        deps,
        size = size,
        tags = ["exclusive", "external", "local", "no-cache", "no-sandbox", "requires-network"] + tags,
        **kwargs
    )
