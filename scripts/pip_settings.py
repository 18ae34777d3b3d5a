"""Prints pip's settings about registries and certificates as `export` lines that uv understands.

What is already set for uv wins. Runs on the system's Python, which may be old: standard library only.
"""

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

SECTIONS = ["global", "install", ":env:"]  # later ones win, as they do in pip
INDEX_VARIABLES = ["UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX"]
CERTIFICATE_VARIABLES = ["SSL_CERT_FILE", "SSL_CERT_DIR", "UV_SYSTEM_CERTS", "UV_NATIVE_TLS"]


def pip_settings():
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
    )
    found = {}
    for line in listing.stdout.decode(errors="replace").splitlines():
        match = re.match(r"(global|install|:env:)\.([a-z-]+)=(.*)$", line)
        if match:
            section, key, value = match.groups()
            found[section, key] = str(ast.literal_eval(value))
    return {key: value for wanted in SECTIONS for (section, key), value in found.items() if section == wanted}


def there(location):
    """pip passes over a local folder that is missing, uv stops at it."""
    path = location[len("file://") :] if location.startswith("file://") else location
    return "://" in path or Path(path).exists()


def uv_has_own_index():
    own = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
    files = [own / "uv" / "uv.toml", Path("/etc/uv/uv.toml")]
    return any(os.environ.get(name) for name in INDEX_VARIABLES) or any(path.exists() for path in files)


def uv_settings(pip):
    uv = {}
    if not uv_has_own_index():
        if "index-url" in pip:
            uv["UV_DEFAULT_INDEX"] = pip["index-url"]
        extra = [url for url in pip.get("extra-index-url", "").split() if there(url)]
        if extra:
            uv["UV_INDEX"] = " ".join(extra)
            uv["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # pip takes the best of all indexes
        links = [link for link in pip.get("find-links", "").split() if there(link)]
        if links:
            uv["UV_FIND_LINKS"] = ",".join(links)
        if pip.get("no-index", "").lower() in ("1", "true", "yes", "on"):
            uv["UV_NO_INDEX"] = "1"
        if "trusted-host" in pip:
            uv["UV_INSECURE_HOST"] = " ".join(pip["trusted-host"].split())
    if "cert" in pip and not any(os.environ.get(name) for name in CERTIFICATE_VARIABLES):
        uv["SSL_CERT_FILE"] = pip["cert"]
    if "proxy" in pip and not any(os.environ.get(name) for name in ("ALL_PROXY", "HTTPS_PROXY", "https_proxy")):
        uv["ALL_PROXY"] = pip["proxy"]
    return uv


for name, value in uv_settings(pip_settings()).items():
    print(f"export {name}={shlex.quote(value)}")
