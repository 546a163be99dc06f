"""The `pip` extension: install a hashed lock once with the system's pip and offer a target a distribution."""

_INSTALL_TIMEOUT_S = 1800

_PACKAGE = """\
load("@rules_python//python:py_library.bzl", "py_library")

package(default_visibility = ["//visibility:public"])

py_library(
    name = "{name}",
    data = ["site"],
    imports = ["site"],
    deps = {deps},
)

alias(
    name = "pkg",
    actual = ":{name}",
)
"""

_REQUIREMENTS = """\
all_requirements = {labels}

def requirement(name):
    return "@{hub}//" + name.replace("-", "_").replace(".", "_").lower()
"""

def _hub_impl(rctx):
    python = rctx.which("python3")
    if not python:
        fail("python3 is not on PATH; install python3 with its pip and venv modules")
    cache = rctx.os.environ.get("ALGO_TRADER_WHEELS")
    if not cache:
        home = rctx.os.environ.get("XDG_CACHE_HOME") or rctx.os.environ.get("HOME", "") + "/.cache"
        cache = home + "/algo-trader/wheels"
    rctx.report_progress("installing the locked wheels (about half a minute, once a lock)")
    result = rctx.execute(
        [python, rctx.path(rctx.attr._install), "--lock", rctx.path(rctx.attr.requirements_lock), "--cache", cache],
        timeout = _INSTALL_TIMEOUT_S,
    )
    if result.return_code:
        fail("the locked wheels could not be installed:\n" + result.stderr)
    installed = json.decode(result.stdout)
    for name, distribution in installed["distributions"].items():
        rctx.symlink(distribution["path"], name + "/site")
        rctx.file(name + "/BUILD.bazel", _PACKAGE.format(
            name = name,
            deps = repr(["//" + dep for dep in distribution["requires"]]),
        ))
    rctx.file("BUILD.bazel", "")
    rctx.file("requirements.bzl", _REQUIREMENTS.format(
        hub = rctx.attr.hub,
        labels = repr(["@{}//{}".format(rctx.attr.hub, name) for name in installed["distributions"]]),
    ))

_hub = repository_rule(
    implementation = _hub_impl,
    attrs = {
        "hub": attr.string(mandatory = True),
        "requirements_lock": attr.label(mandatory = True, allow_single_file = True),
        "_install": attr.label(default = ":install_wheels.py"),
    },
    environ = ["ALGO_TRADER_WHEELS"],
)

def _pip_impl(mctx):
    for module in mctx.modules:
        for parse in module.tags.parse:
            _hub(
                name = parse.hub_name,
                hub = parse.hub_name,
                requirements_lock = parse.requirements_lock,
            )

_parse = tag_class(
    attrs = {
        "hub_name": attr.string(mandatory = True),
        "python_version": attr.string(doc = "Accepted and unused: python3 on PATH is the interpreter."),
        "requirements_lock": attr.label(mandatory = True),
    },
)

pip = module_extension(
    implementation = _pip_impl,
    tag_classes = {"parse": _parse},
)
