"""Holds dashboards against Grafana's schema: what its SDK reads and writes again must have every key that was there.

Needs the package grafana-foundation-sdk (`make dashboards-check` brings it); exits with 77 where it is missing.
"""

import json
import sys

try:
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models.dashboard import Dashboard
    from grafana_foundation_sdk.cog import plugins
except ImportError as error:
    print(f"the Python package grafana-foundation-sdk is not installed ({error})")
    sys.exit(77)

plugins.register_default_plugins()

# What the data source for Prometheus reads of an annotation; the schema leaves that to data sources.
OF_PROMETHEUS = {"step", "titleFormat", "textFormat", "useValueForTime"}


def keys(value, path=""):
    """Every key in a document, by the way that leads to it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{path}.{key}"
            yield from keys(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from keys(inner, f"{path}[{number}]")


def is_empty(document, path):
    """Whether what a way leads to says nothing: the SDK does not write that again."""
    for step in path.replace("[", ".[").split(".")[1:]:
        document = document[int(step[1:-1])] if step.startswith("[") else document[step]
    return document in ({}, [], "", None)


def lost(path):
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    again = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(document)))
    known = set(keys(again))
    ours = lambda key: key.startswith(".annotations.list[") and key.rsplit(".", 1)[1] in OF_PROMETHEUS
    return [key for key in keys(document) if key not in known and not is_empty(document, key) and not ours(key)]


broken = False
for name in sys.argv[1:]:
    for key in lost(name):
        broken = True
        print(f"{name}: Grafana's schema does not know {key}")
sys.exit(1 if broken else 0)
