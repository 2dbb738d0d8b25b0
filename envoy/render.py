"""Write envoy/portcullis.yaml: Envoy's resource file for the filter, policy.yaml inside.

Envoy watches that file, so writing it puts the policy in force. `--check` writes nothing
and fails when the file is not what policy.yaml makes it. Needs dist/portcullis, which reads
the policy: Envoy's YAML is another than the policy's.
"""

import hashlib
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
COMMAND = HERE.parent / "dist" / "portcullis"
POLICY = HERE / "policy.yaml"
TARGET = HERE / "portcullis.yaml"

TEMPLATE = """\
# Made from policy.yaml by render.py; change that one.
version_info: "{version}"
resources:
  - "@type": type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig
    name: portcullis
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
      config:
        name: portcullis
        # Should the filter ever trap, that request is answered 503 and the filter is
        # started afresh. Nothing passes meanwhile.
        failure_policy: FAIL_RELOAD
        vm_config:
          vm_id: portcullis
          runtime: envoy.wasm.runtime.v8
          code: {{local: {{filename: dist/portcullis.wasm}}}}
          # The secrets the policy may name with `env:`.
          environment_variables: {{host_env_keys: [SECRET_KEY]}}
        # So that bodies can be judged before their heads go on, where the policy asks for that.
        allow_on_headers_stop_iteration: true
{configuration}"""


def version(policy: str) -> str:
    """A short digest: Envoy shows it as the version in force."""
    return hashlib.sha256(policy.encode()).hexdigest()[:12]


def render(policy: str) -> str:
    """The resource, with the configuration that `portcullis policy render` makes of the policy."""
    if not COMMAND.exists():
        sys.exit("envoy/render.py: dist/portcullis is not there; run: make build")
    done = subprocess.run(
        [COMMAND, "policy", "render", "-", "--for", "envoy"], input=policy, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(done.stderr.rstrip())
    # The last member of a filter's `config`, which is two deeper here.
    _, name, rest = done.stdout.partition("      configuration:\n")
    configuration = "".join("  " + line for line in (name + rest).splitlines(keepends=True))
    return TEMPLATE.format(version=version(policy), configuration=configuration)


def write() -> bool:
    """Replace the file at once, as Envoy's watch expects; False if it was right already."""
    text = render(POLICY.read_text())
    if TARGET.exists() and TARGET.read_text() == text:
        return False
    new = TARGET.with_name(".portcullis.yaml.new")
    new.write_text(text)
    os.replace(new, TARGET)
    return True


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        if TARGET.read_text() == render(POLICY.read_text()):
            return 0
        print("envoy/portcullis.yaml is not what envoy/policy.yaml makes it: run envoy/render.py", file=sys.stderr)
        return 1
    if arguments:
        print("usage: render.py [--check]", file=sys.stderr)
        return 2
    write()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
