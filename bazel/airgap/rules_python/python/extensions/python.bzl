"""The `python` extension: the system's interpreter serves, so a toolchain tag asks for nothing."""

def _python_impl(_mctx):
    pass

_toolchain = tag_class(
    attrs = {
        "is_default": attr.bool(),
        "python_version": attr.string(mandatory = True),
    },
    doc = "Accepted and unused: python3 on PATH is the toolchain.",
)

python = module_extension(
    implementation = _python_impl,
    tag_classes = {"toolchain": _toolchain},
)
