"""Checks deploy/ without Docker and Kubernetes: make check-deploy.

Compose and Helm's values against their schemas, instances against Dagster's, and units by systemd. The
Dockerfile by its own steps, below a temporary folder, with the Python that is here; then its command
must start, and its health check must pass.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path

import yaml
from dagster._config import process_config, resolve_to_config_type

DEPLOY = Path(__file__).parent
CLONE = DEPLOY.parent
BIN = Path(sys.executable).parent
HEALTHY_WITHIN = 120
ENDS_WITHIN = 30
PORT, EVERY_ADDRESS = "4266", "0.0.0.0"  # noqa: S104  # of the image's commands
NEEDS_ROOT = ("useradd", "chown")  # do nothing here


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        check_schemas()
        check_instances()
        check_units(Path(folder))
        check_image(Path(folder, "image"))


def check_schemas() -> None:
    for schema, file in (
        (("--builtin-schema", "vendor.compose-spec"), "compose.yaml"),
        (("--schemafile", DEPLOY / "helm-values.schema.json"), "helm-values.yaml"),
        (("--schemafile", DEPLOY / "helm-values.schema.json"), "spark/helm-values.yaml"),
    ):
        _say(file)
        subprocess.run([BIN / "check-jsonschema", "--quiet", *schema, DEPLOY / file], check=True)


def check_instances() -> None:
    """What they configure is there, and takes what they say."""
    for file in ("dagster-postgres.yaml", "spark/docker.yaml", "spark/ecs.yaml"):
        _say(file)
        for section in yaml.safe_load((DEPLOY / file).read_text()).values():
            if "class" in section:
                configurable = getattr(import_module(section["module"]), section["class"])
                schema = resolve_to_config_type(configurable.config_type())
                found = process_config(schema, section.get("config", {}))
                assert found.success, found.errors


def check_units(folder: Path) -> None:
    """Each unit is valid, and what it executes is what an installation has."""
    if not shutil.which("systemd-analyze"):
        _say("units: left out, systemd-analyze is not installed")
        return
    units = sorted((DEPLOY / "systemd").iterdir())
    for unit in units:
        _say(unit.name)
        text = unit.read_text().replace("/srv/csq_assets/.venv/bin", str(BIN))
        (folder / unit.name).write_text(text)
    verify = ("systemd-analyze", "verify", "--man=no", "--recursive-errors=no")
    subprocess.run([*verify, *(folder / unit.name for unit in units)], check=True)


def check_image(root: Path) -> None:
    """All stages are made in one place, because a virtual environment cannot be moved."""
    here, commands = root, {}
    environment = {"PATH": f"{sys.base_prefix}/bin:{os.defpath}"}
    stubs = root / "stubs"
    stubs.mkdir(parents=True)
    for name in NEEDS_ROOT:
        (stubs / name).symlink_to("/bin/true")
    for name, rest in _instructions():
        _say(f"Dockerfile: {name} {rest}")
        match name:
            case "WORKDIR":
                here = Path(_below(root, rest))
                here.mkdir(parents=True, exist_ok=True)
            case "COPY":
                _copy(*rest.split(), here=here, root=root)
            case "RUN":
                path = f"{stubs}:{environment['PATH']}"
                subprocess.run(
                    ["sh", "-c", _below(root, rest)],
                    cwd=here,
                    env={**os.environ, "PIP_QUIET": "1", **environment, "PATH": path},
                    check=True,
                )
            case "ENV":
                for pair in rest.split():
                    variable, _, value = _below(root, pair).partition("=")
                    environment[variable] = value
            case "CMD" | "HEALTHCHECK":
                commands[name] = json.loads(rest[rest.index("[") :])
            case "USER":
                assert int(rest) > 0, "the image runs as root"
            case _:
                assert name in ("FROM", "VOLUME", "EXPOSE"), f"{name} is not known here"
    check_health(commands["CMD"], commands["HEALTHCHECK"], here, {**os.environ, **environment})


def check_health(
    command: list[str], check: list[str], here: Path, environment: Mapping[str, str]
) -> None:
    """The command starts on a free port of this machine, and the check passes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        mine = {PORT: str(probe.getsockname()[1]), EVERY_ADDRESS: "127.0.0.1"}
    given = {"cwd": here, "env": environment}
    # In the background of a shell SIGINT is ignored, and a server that inherits that never ends.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen([mine.get(word, word) for word in command], **given) as server:
        try:
            until = time.monotonic() + HEALTHY_WITHIN
            words = [mine.get(word, word) for word in check]
            while subprocess.run(words, **given, capture_output=True, check=False).returncode:
                assert server.poll() is None, "the command of the image has ended"
                assert time.monotonic() < until, "the image is not healthy"
                time.sleep(1)
        finally:
            server.terminate()
            try:
                server.wait(ENDS_WITHIN)
            except subprocess.TimeoutExpired:
                server.kill()


def _instructions() -> Iterator[tuple[str, str]]:
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, rest = line.partition(" ")
            yield name, rest


def _copy(*words: str, here: Path, root: Path) -> None:
    """From the clone, or from an earlier stage, which is the same place: then it must be there."""
    *options, target = words
    if options[0].startswith("--from="):
        assert Path(_below(root, options[1])).exists(), f"no stage makes {options[1]}"
        return
    to = here / _below(root, target)
    for source in options:
        if (CLONE / source).is_dir():
            shutil.copytree(CLONE / source, to)
        else:
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CLONE / source, to)


def _below(root: Path, text: str) -> str:
    """The text with the folders that the image makes below `root`."""
    return re.sub(r"/(?=(?:opt|srv)/)", f"{root}/", text)


def _say(what: str) -> None:
    print(what, flush=True)


if __name__ == "__main__":
    main()
