"""The version of the package, which is also the version of the engine in manifests."""

VERSION = "0.1.0"
