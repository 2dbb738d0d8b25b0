"""The image: what hosts pull, the same bytes every time, and every one of them accounted for."""

import gzip
import hashlib
import io
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]
MODULE = ROOT / "dist" / "portcullis.wasm"


def make(folder) -> dict[str, bytes]:
    """Every file of an image, by its name."""
    subprocess.run([sys.executable, ROOT / "filter" / "image.py", MODULE, folder], check=True, stdout=subprocess.DEVNULL)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Image(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        cls.files = make(pathlib.Path(cls.folder.name) / "one")

    @classmethod
    def tearDownClass(cls) -> None:
        cls.folder.cleanup()

    def blob(self, descriptor) -> bytes:
        kind, digest = descriptor["digest"].split(":")
        content = self.files[f"oci/blobs/{kind}/{digest}"]
        self.assertEqual(hashlib.sha256(content).hexdigest(), digest)
        self.assertEqual(len(content), descriptor["size"])
        return content

    def test_the_same_module_makes_the_same_bytes(self) -> None:
        self.assertEqual(make(pathlib.Path(self.folder.name) / "two"), self.files)

    def test_the_layer_is_the_module(self) -> None:
        index = json.loads(self.files["oci/index.json"])
        [descriptor] = index["manifests"]
        manifest = json.loads(self.blob(descriptor))
        config, [layer] = json.loads(self.blob(manifest["config"])), manifest["layers"]
        self.assertEqual(layer["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip")
        tar = gzip.decompress(self.blob(layer))
        self.assertEqual(config["rootfs"]["diff_ids"], [f"sha256:{hashlib.sha256(tar).hexdigest()}"])
        with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
            [entry] = archive.getmembers()
            self.assertEqual((entry.name, entry.mtime, entry.uid, entry.uname), ("plugin.wasm", 0, 0, ""))
            self.assertEqual(archive.extractfile(entry).read(), MODULE.read_bytes())
        # Nothing is there that nothing refers to.
        blobs = [name for name in self.files if "/blobs/" in name]
        self.assertEqual(len(blobs), 3, blobs)

    def test_checksums_are_of_every_file(self) -> None:
        sums = dict(reversed(line.split("  ")) for line in self.files["SHA256SUMS"].decode().splitlines())
        found = {name: hashlib.sha256(content).hexdigest() for name, content in self.files.items() if name != "SHA256SUMS"}
        self.assertEqual(sums, found)

    def test_the_bill_of_materials_is_whole(self) -> None:
        bill = json.loads(self.files["portcullis.cdx.json"])
        self.assertEqual((bill["bomFormat"], bill["specVersion"]), ("CycloneDX", "1.6"))
        whole = bill["metadata"]["component"]
        self.assertEqual(whole["hashes"], [{"alg": "SHA-256", "content": hashlib.sha256(MODULE.read_bytes()).hexdigest()}])
        known = {component["bom-ref"] for component in bill["components"]} | {whole["bom-ref"]}
        self.assertEqual(len(known), len(bill["components"]) + 1, "each once")
        for dependency in bill["dependencies"]:
            self.assertIn(dependency["ref"], known)
            self.assertLessEqual(set(dependency["dependsOn"]), known)
        names = {component["name"] for component in bill["components"]}
        self.assertLessEqual({"proxy-wasm", "jwt-simple", "serde_json", "portcullis-engine"}, names)
        # Neither the tests' nor the command's.
        self.assertTrue(names.isdisjoint({"proptest", "clap", "argon2", "saphyr-parser", "wasm-bindgen-test"}), names)
        for component in bill["components"]:
            self.assertIn("licenses", component, component["name"])

    def test_nothing_is_of_this_machine(self) -> None:
        for name, content in self.files.items():
            for place in (ROOT, pathlib.Path.home()):
                self.assertNotIn(f"{place}/".encode(), content, name)


if __name__ == "__main__":
    unittest.main()
