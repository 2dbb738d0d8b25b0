"""Writes the module as an image, for Istio and Envoy Gateway to pull, with its bill of materials and checksums.

    image.py MODULE OUT

OUT becomes a folder with

  oci/                      an OCI image layout: `skopeo copy oci:OUT/oci docker://registry/name:tag` pushes it
  portcullis.wasm           the module
  portcullis.cdx.json       what it is made of (CycloneDX 1.6)
  SHA256SUMS                of all of them

The image is of the kind that both hosts take: one layer, `plugin.wasm` at its root (Wasm Image Specification, "compat"
variant). The same module makes the same bytes, whenever and wherever: nothing in it is a time or a name of this machine.
"""

import gzip
import hashlib
import io
import json
import pathlib
import shutil
import subprocess
import sys
import tarfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
SOURCE = "https://github.com/portcullis/portcullis"


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class Layout:
    """An OCI image layout (OCI Image Format Specification 1.1)."""

    def __init__(self, folder):
        self.folder = folder
        self.blobs = folder / "blobs" / "sha256"
        self.blobs.mkdir(parents=True)

    def blob(self, media_type, content, **more):
        digest = hashlib.sha256(content).hexdigest()
        (self.blobs / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content), **more}

    def finish(self, manifest):
        (self.folder / "oci-layout").write_bytes(canonical({"imageLayoutVersion": "1.0.0"}))
        (self.folder / "index.json").write_bytes(canonical(
            {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [manifest]}))


def layer(module):
    """A tar of one file, of no time and nobody."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        entry = tarfile.TarInfo("plugin.wasm")
        entry.size, entry.mode = len(module), 0o644
        tar.addfile(entry, io.BytesIO(module))
    return out.getvalue()


def write_image(module, version, folder):
    layout = Layout(folder)
    tar = layer(module)
    # The platform is a formality: hosts run the module, not the image.
    config = layout.blob("application/vnd.oci.image.config.v1+json", canonical({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(tar).hexdigest()}"]}}))
    packed = layout.blob("application/vnd.oci.image.layer.v1.tar+gzip", gzip.compress(tar, mtime=0))
    manifest = layout.blob("application/vnd.oci.image.manifest.v1+json", canonical({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": [packed],
        "annotations": {"org.opencontainers.image.title": "portcullis", "org.opencontainers.image.version": version,
                        "org.opencontainers.image.licenses": "Apache-2.0", "org.opencontainers.image.source": SOURCE}}))
    layout.finish({**manifest, "annotations": {"org.opencontainers.image.ref.name": version},
                   "platform": {"architecture": "amd64", "os": "linux"}})


def metadata():
    done = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", "wasm32-wasip1"],
        cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def linked(graph):
    """The packages that end up in the module: normal dependencies of the filter, to the end."""
    nodes = {node["id"]: node for node in graph["resolve"]["nodes"]}
    packages = {package["id"]: package for package in graph["packages"]}
    first = next(id for id, package in packages.items() if package["name"] == "portcullis-filter")
    edges, open_ends = {}, [first]
    while open_ends:
        id = open_ends.pop()
        if id in edges:
            continue
        edges[id] = sorted(
            dependency["pkg"] for dependency in nodes[id]["deps"]
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]))
        open_ends += edges[id]
    return first, edges, packages


def reference(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package, kind="library"):
    found = {"type": kind, "bom-ref": reference(package), "name": package["name"], "version": package["version"],
             "purl": reference(package)}
    if package.get("license"):
        found["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    if package.get("repository"):
        found["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return found


def bill_of_materials(graph, module):
    first, edges, packages = linked(graph)
    whole = component(packages[first], "application")
    whole["hashes"] = [{"alg": "SHA-256", "content": hashlib.sha256(module).hexdigest()}]
    rest = sorted((id for id in edges if id != first), key=lambda id: reference(packages[id]))
    return {
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "metadata": {"component": whole},
        "components": [component(packages[id]) for id in rest],
        "dependencies": [{"ref": reference(packages[id]), "dependsOn": [reference(packages[other]) for other in edges[id]]}
                         for id in [first] + rest],
    }


def main(source, target):
    module, out = pathlib.Path(source).read_bytes(), pathlib.Path(target)
    graph = metadata()
    version = next(package["version"] for package in graph["packages"] if package["name"] == "portcullis-filter")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / "portcullis.wasm").write_bytes(module)
    bill = json.dumps(bill_of_materials(graph, module), indent=2, ensure_ascii=False) + "\n"
    (out / "portcullis.cdx.json").write_text(bill)
    write_image(module, version, out / "oci")
    files = sorted(path for path in out.rglob("*") if path.is_file())
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(out)}\n" for path in files]
    (out / "SHA256SUMS").write_text("".join(sums))
    index = json.loads((out / "oci" / "index.json").read_text())
    print(f"{out}: portcullis {version}, image {index['manifests'][0]['digest']}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
