"""What a frozen program needs of mesahub: modules are found by name, which PyInstaller's analysis cannot see."""

from importlib.util import find_spec

from PyInstaller.utils.hooks import collect_data_files, collect_submodules, copy_metadata

# Those of packages that are not installed are left out; suites for tests always are.
_TRANSPORTS = {
    "mesahub_http1": (),
    "mesahub_urllib": (),
    "mesahub_asyncio": (),
    "mesahub_embedded": ("sqlite3",),
    "mesahub_recorder": (),
    "mesahub_urllib3": ("urllib3",),
    "mesahub_requests": ("requests", "urllib3"),
    "mesahub_aiohttp": ("aiohttp",),
    "mesahub_httpx": ("httpx",),
}
_OPTIONAL = {
    "mesahub.cli": "click",
    "mesahub.middleware.spans": "opentelemetry",
    "mesahub.aio.middleware.spans": "opentelemetry",
    "mesahub.integrations.sqlalchemy": "sqlalchemy",
    "mesahub.testing": None,
    "mesahub._pyinstaller": None,
    "mesahub_recorder.pytest_plugin": None,
}


def _wanted(name):
    for start, needed in _OPTIONAL.items():
        if name == start or name.startswith(f"{start}."):
            # The command line works in part without click.
            return name in ("mesahub.cli", "mesahub.cli.plain") or bool(needed and find_spec(needed))
    return True


hiddenimports = collect_submodules("mesahub", filter=_wanted)
datas = []
for _package, _needed in _TRANSPORTS.items():
    if find_spec(_package) and all(find_spec(_name) for _name in _needed):
        hiddenimports += collect_submodules(_package, filter=_wanted)
        datas += collect_data_files(_package)
try:
    datas += copy_metadata("mesahub")
except Exception:  # not installed, only there: the built-in names are enough
    pass
