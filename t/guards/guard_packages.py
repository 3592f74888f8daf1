"""The packages are of the version that configure.ac and CHANGES have."""
import re
import tree

SOURCE, VERSION = "configure.ac", r"(\d+(?:\.\d+)+)"
PLACES = {
    SOURCE: rf"AC_INIT\(\[mod_proxy_mirror\], \[{VERSION}\]\)",
    "CHANGES": rf"^Changes with mod_proxy_mirror {VERSION}",
    "debian/changelog": rf"\Amod-proxy-mirror \({VERSION}-\d+\)",
    "packaging/mod_proxy_mirror.spec": rf"^Version: +{VERSION}$",
}
versions = {path: (re.findall(pattern, tree.read(path), re.M) or [None])[0] for path, pattern in PLACES.items()}
problems = [f"{path}: has the version {version}; {SOURCE} has {versions[SOURCE]}" for path, version in versions.items()
            if not version or version != versions[SOURCE]]

tree.finish("packages", problems, f"version {versions[SOURCE]} is the same in {len(PLACES)} places")
