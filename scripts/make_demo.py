"""Make the demonstration inventories in `data/demo/` by running a real SBOM tool over environments of older releases.

    python scripts/make_demo.py [--syft PATH] [--out data/demo]

1. A throw-away environment with a pip that still reads the metadata of older releases.
2. Each inventory's releases are installed into a folder of their own, without their dependencies.
3. Syft writes a CycloneDX document of the folder: installed packages only, no lock files.
4. What would differ from run to run or speak of the machine is taken out, and the exposure is put in.

Needs the package index that pip is configured for, and Syft (`make bench` installs it under .venv-peers).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PIP = "pip==24.0"  # the last that accepts the dependency lines of releases such as Airflow 1.10
FORMAT = "cyclonedx-json@1.6"
PYTHON = "3.8"  # what these releases ran on
PLATFORMS = ("manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64")

# Real releases of 2019 to 2023, chosen so that every tier of BOD 26-04 occurs.
WEB_FRONTEND = """
    aiohttp==3.8.4 apache-airflow==1.10.10 bleach==3.1.4 certifi==2021.5.30 chardet==4.0.0 click==7.1.2
    cryptography==3.4.7 django==3.2.12 djangorestframework==3.11.0 flask==1.1.2 flask-appbuilder==2.3.4
    flask-caching==1.10.1 gitpython==3.1.30 gunicorn==20.0.4 idna==2.10 itsdangerous==1.1.0 jinja2==2.11.2
    lxml==4.6.2 mako==1.1.4 markupsafe==1.1.1 pillow==8.4.0 pygments==2.7.3 pyjwt==1.7.1 redis==3.5.3
    requests==2.25.1 sqlalchemy==1.3.24 sqlparse==0.4.2 starlette==0.22.0 urllib3==1.26.4 wagtail==2.15.1
    waitress==2.1.1 werkzeug==0.16.1
"""
WEB_FRONTEND_SOURCES = "adyen==6.0.0 python-multipart==0.0.5"  # released as source archives only
# tabula-py carries a Java archive: components of an ecosystem that the bundled facts do not cover
RECORDS_OFFICE = """
    apache-airflow==1.10.10 authlib==1.2.0 babel==2.9.0 celery==4.4.7 datasette==0.64.2 django==2.2.24
    httplib2==0.18.1 ipython==7.16.1 joblib==0.14.1 jupyter-server==1.11.0 lxml==4.6.2 notebook==6.4.0
    numpy==1.20.3 openpyxl==3.0.6 pandas==1.2.5 paramiko==2.7.2 pypdf2==1.27.4 scikit-learn==0.24.2
    supervisor==4.1.0 tabula-py==2.3.0 xlrd==1.2.0
"""
KEPT_PROPERTIES = ("syft:package:foundBy", "syft:package:type")
INVENTORIES: tuple[tuple[str, str, list[str], list[str]], ...] = (
    ("web-frontend", "public", WEB_FRONTEND.split(), WEB_FRONTEND_SOURCES.split()),
    ("records-office", "internal", RECORDS_OFFICE.split(), []),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--syft", default=str(ROOT / ".venv-peers" / "bin" / "syft"), help="the SBOM tool")
    parser.add_argument("--out", type=Path, default=ROOT / "data" / "demo")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        pip = old_pip(work / "pip")
        for name, exposure, wheels, sources in INVENTORIES:
            target = work / name
            install(pip, target, wheels, sources)
            document = tidy(scan(args.syft, target, name), name, exposure)
            path = args.out / f"{name}.cdx.json"
            path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            print(f"{path.name}: {len(document['components'])} components")
    return 0


def old_pip(folder: Path) -> Path:
    venv.create(folder, with_pip=True)
    pip = folder / "bin" / "pip"
    subprocess.run([pip, "install", "--quiet", PIP], check=True)
    return pip


def install(pip: Path, target: Path, wheels: list[str], sources: list[str]) -> None:
    """The releases themselves and nothing that they depend on; nothing of them is run but a source's build."""
    common: list[str | Path] = [
        pip,
        "install",
        "--quiet",
        "--no-deps",
        "--no-compile",
        "--upgrade",
        "--target",
        target,
    ]
    platforms = [f"--platform={platform}" for platform in PLATFORMS]
    only = ["--only-binary=:all:", f"--python-version={PYTHON}", "--implementation=cp", *platforms]
    subprocess.run([*common, *only, *wheels], check=True)
    for source in sources:
        subprocess.run([*common, source], check=True)


def scan(syft: str, target: Path, name: str) -> dict[str, Any]:
    """Syft's CycloneDX document of a folder: what is installed there ("image"), not what lock files wish for."""
    command = [syft, "scan", "dir:.", "--source-name", name, "--override-default-catalogers", "image"]
    environment = os.environ | {"SYFT_CHECK_FOR_APP_UPDATE": "false"}
    done = subprocess.run(
        [*command, "--output", FORMAT, "--quiet"],
        cwd=target,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
    )
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def tidy(document: dict[str, Any], name: str, exposure: str) -> dict[str, Any]:
    """The document in a stable order, with its exposure: no serial number, time, place on disk or e-mail address.

    References are by purl: the tool derives its own from where and when files were written. Its
    guessed CPEs are left out too, because their order varies from run to run.
    """
    kept = []
    for component in document["components"]:
        properties = [p for p in component.get("properties", ()) if p["name"] in KEPT_PROPERTIES]
        kept.append(
            {"bom-ref": component["purl"], "type": component["type"]}
            | {key: component[key] for key in ("group", "name", "version", "purl") if key in component}
            | {"properties": properties}
        )
    kept.sort(key=lambda component: str(component["purl"]))
    metadata = {
        "tools": document["metadata"]["tools"],
        "component": {"bom-ref": name, "type": "application", "name": name},
        "properties": [{"name": "clearway:exposure", "value": exposure}],
    }
    head = {key: document[key] for key in ("$schema", "bomFormat", "specVersion", "version")}
    return head | {"metadata": metadata, "components": kept}


if __name__ == "__main__":
    sys.exit(main())
